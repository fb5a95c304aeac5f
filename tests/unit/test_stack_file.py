"""A wrong stack file is one clear error that names the key path, what is wrong and what to write."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from config import NAMESPACE, ConfigurationError, Settings, read_stack_file, stack_names
from config.validate import validate
from planning.platform import plan_platform

CHECKOUT = Path(__file__).parents[2]
STACKS = stack_names(CHECKOUT)

GOOD: dict[str, Any] = {
    "region": "us-central1",
    "nodePools": [
        {"name": "gpu", "accelerator": "h200", "zone": "us-central1-b", "nodes": 1, "capacity": {"kind": "spot"}}
    ],
    "models": [{"name": "small", "model": "google/gemma-3-1b-it"}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one value at a dotted path replaced; None removes it."""
    import copy

    document: Any = copy.deepcopy(GOOD)
    here = document
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        here = here[part] if isinstance(part, int) else here.setdefault(part, {})
    if value is None:
        del here[last]
    else:
        here[last] = value
    return document


def problems(values: dict[str, Any], *, to_deploy: bool = False, secrets: frozenset[str] = frozenset()) -> str:
    with pytest.raises(ConfigurationError) as caught:
        plan_platform(validate("test", values, secrets, to_deploy=to_deploy), "test")
    return str(caught.value)


def test_a_good_stack_is_accepted() -> None:
    assert plan_platform(validate("test", GOOD, frozenset(), to_deploy=False), "test").models


@pytest.mark.parametrize("stack", STACKS)
def test_every_shipped_stack_file_can_be_planned_and_holds_no_project_and_no_secret(stack: str) -> None:
    settings = read_stack_file(CHECKOUT, stack)
    assert settings.project is None
    assert "secure" not in (CHECKOUT / f"Pulumi.{stack}.yaml").read_text()
    assert plan_platform(settings, stack).node_pools


@pytest.mark.parametrize(
    ("path", "value", "where", "advice"),
    [
        ("project", "Acme Inference", "inference-platform:project", "acme-inference"),
        ("project", "ab", "inference-platform:project", "6 to 30"),
        ("region", None, "inference-platform:region", "us-central1"),
        ("region", "us-central1-b", "inference-platform:region", "Write a region"),
        ("nodePool", [], "inference-platform:nodePool", "Did you mean nodePools?"),
        ("nodePools", [], "inference-platform:nodePools", "at least 1"),
        ("nodePools", "gpu", "inference-platform:nodePools", "must be a list"),
        ("nodePools.0.nodes", "many", "inference-platform:nodePools[0].nodes", "write a number"),
        ("nodePools.0.nodes", 0, "inference-platform:nodePools[0].nodes", "Write nodes: 1"),
        ("nodePools.0.zone", None, "inference-platform:nodePools[0].zone", "us-central1-b"),
        ("nodePools.0.zone", "europe-west4-a", "inference-platform:nodePools[0].zone", "us-central1"),
        ("nodePools.0.accelerator", "h2000", "inference-platform:nodePools[0].accelerator", "h200"),
        ("nodePools.0.machineType", "e2-small", "inference-platform:nodePools[0].machineType", "Write one of"),
        ("nodePools.0.capacity.kind", "cheap", "inference-platform:nodePools[0].capacity.kind", "'spot'"),
        ("nodePools.0.capacity", None, "inference-platform:nodePools[0].capacity", "is missing"),
        ("nodePools.0.capacity.kind", "onDemand", "inference-platform:nodePools[0].capacity.kind", "spot"),
        ("nodePools.0.capacity.bid", 3, "inference-platform:nodePools[0].capacity.bid", "kind"),
        ("nodePools.0.nodeCount", 3, "inference-platform:nodePools[0].nodeCount", "Legal keys here"),
        ("models.0.model", "gemma", "inference-platform:models[0].model", "google/gemma-3-1b-it"),
        ("models.0.model", "google/none", "inference-platform:models[0].model", "is not in the catalogue"),
        ("models.0.nodePool", "other", "inference-platform:models[0].nodePool", "gpu"),
        ("network.addressBlock", "8.0.0.0/8", "inference-platform:network", "10.0.0.0/8"),
        ("network.addressBlock", "10.0.0.0/24", "inference-platform:network", "between /8 and /16"),
        ("namePrefix", "9lives", "inference-platform:namePrefix", "starting with a letter"),
        ("cluster.systemPool.minNodesPerZone", 9, "inference-platform:cluster.systemPool", "maxNodesPerZone"),
    ],
)
def test_what_is_wrong_is_named_by_its_key_path_with_what_to_write(
    path: str, value: Any, where: str, advice: str
) -> None:
    text = problems(changed(path, value))
    line = next(line for line in text.splitlines() if where in line)
    assert line.strip().startswith(where)
    assert advice in line


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.0.image", "docker.io/vllm/vllm-openai:v0.33\u0669"),
        ("models.0.model", "google/gemm\u0430"),
        ("models.0.engine", {"lora": {"adapters": [{"name": "a\u0440", "path": "a/b"}]}}),
        ("cluster.version", "1.\u0663\u0666"),
    ],
)
def test_a_letter_or_digit_that_only_looks_like_one_is_refused(path: str, value: Any) -> None:
    """Registries, Hugging Face and Google know those of ASCII; of others an `up` would hear hours later."""
    with pytest.raises(ConfigurationError, match=path.rsplit(".", 1)[-1]):
        validate("test", changed(path, value), frozenset(), to_deploy=False)


def test_all_problems_are_told_at_once() -> None:
    values = changed("region", None) | {"colour": "blue"}
    text = problems(values)
    assert f"{NAMESPACE}:region" in text and f"{NAMESPACE}:colour" in text


def test_deploying_needs_a_project_and_a_token_and_says_how_to_set_them() -> None:
    text = problems(GOOD, to_deploy=True)
    assert "pulumi config set inference-platform:project" in text
    assert "pulumi config set --secret inference-platform:huggingFaceToken" in text


def test_a_token_in_plain_text_is_refused_and_not_repeated() -> None:
    text = problems({**GOOD, "project": "acme-inference", "huggingFaceToken": "hf_leaked"}, to_deploy=True)
    assert "stands there in plain text" in text
    assert "hf_leaked" not in text


def test_no_other_key_may_be_a_secret() -> None:
    values = {**GOOD, "project": "whatever"}
    text = problems(values, to_deploy=True, secrets=frozenset({"project", "huggingFaceToken"}))
    assert "inference-platform:project: is a secret" in text


def test_two_pools_or_two_models_of_one_name_are_refused() -> None:
    assert "names two pools" in problems({**GOOD, "nodePools": GOOD["nodePools"] * 2})
    assert "names two models" in problems({**GOOD, "models": GOOD["models"] * 2})


def test_a_stack_whose_name_google_would_refuse_needs_a_prefix() -> None:
    settings = validate("2024", GOOD, frozenset(), to_deploy=False)
    with pytest.raises(ConfigurationError, match="namePrefix"):
        plan_platform(settings, "2024")
    named = validate("2024", {**GOOD, "namePrefix": "year"}, frozenset(), to_deploy=False)
    assert plan_platform(named, "2024").cluster.name == "year-cluster"


def test_an_unknown_stack_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="h200"):
        read_stack_file(CHECKOUT, "h2000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config: [", "YAML"),
        ("", "config"),
        ("config: 3", "config"),
        ("environment: [prod]\nconfig: {}", "environment"),
        ("config:\n  inference-platform:region: &a [*a]", "inference-platform:region"),
    ],
)
def test_a_file_that_is_no_stack_file_is_one_clear_error(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "Pulumi.bad.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=expected):
        read_stack_file(tmp_path, "bad")


def test_a_secure_value_is_never_opened(tmp_path: Path) -> None:
    content = {"config": {f"{NAMESPACE}:{key}": value for key, value in GOOD.items()}}
    content["config"][f"{NAMESPACE}:huggingFaceToken"] = {"secure": "v1:abc:def"}
    (tmp_path / "Pulumi.mine.yaml").write_text(yaml.safe_dump(content))
    assert isinstance(read_stack_file(tmp_path, "mine"), Settings)
