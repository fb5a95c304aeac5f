"""Weights in a bucket: when the plan takes it, what it refuses, and what servers and fills are given."""

import json
from typing import Any

import pytest

from catalog.cold_start import WeightSource
from catalog.engine_arguments import flag_table
from components.manifests.server_pod import Role
from components.manifests.weights_fill import weights_fill
from config import ConfigurationError
from config.validate import validate
from planning.plan import ModelServerPlan, PlatformPlan
from planning.platform import plan_platform
from planning.report import sections, to_text
from planning.serving.arguments import expanded
from tests.unit.serving import GEMMA_1B, GEMMA_27B, H200, L4, TOKEN, TWO_NODES, container, environment, pod

KEPT = {**GEMMA_27B, "tensorParallel": 1}
BUCKET = {"weights": {"kind": "bucket"}}


def platform(*models: dict[str, Any], bucket: Any = None, pool: dict[str, Any] = H200, **changes: Any) -> PlatformPlan:
    named = [{"name": f"model-{index}", **model} for index, model in enumerate(models)]
    values = {
        "region": "us-central1",
        "project": "acme-inference",
        "nodePools": [pool],
        "models": named,
        "weightsBucket": {} if bucket is None else bucket,
        **changes,
    }
    return plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")


def planned(model: dict[str, Any], **changes: Any) -> ModelServerPlan:
    return platform(model, **changes).models[0]


def refusal(*models: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        platform(*models, **changes)
    return str(caught.value)


def test_with_a_bucket_a_long_download_is_made_once_and_a_short_one_by_each_pod() -> None:
    large, small = platform(KEPT, {**GEMMA_1B, "tensorParallel": 1}).models
    assert large.weights.source is WeightSource.BUCKET and "downloaded once, which takes 523 s" in large.weights.why
    assert small.weights.source is WeightSource.HUB
    assert planned({**GEMMA_1B, **BUCKET}).weights.source is WeightSource.BUCKET
    assert planned({**KEPT, "weights": {"kind": "nodeCache"}}).weights.source is WeightSource.NODE_CACHE


def test_the_plan_says_what_the_bucket_takes_and_costs_and_how_it_is_deleted() -> None:
    plan = platform(KEPT)
    (option,) = (each for each in plan.models[0].weights.options if each.chosen)
    assert option.first.fetch == 0 and option.usd_month == pytest.approx(51.1 * 0.02, rel=0.01)
    assert plan.models[0].load == option.first
    text = to_text(sections(plan, "test"))
    assert "chosen, filled once in 523 s" in text
    assert "bucket acme-inference-test-weights is protected: to delete it write weightsBucket.deletable: true" in text
    assert "is deleted with the stack" in to_text(sections(platform(KEPT, bucket={"deletable": True}), "test"))
    far = {**H200, "zone": "europe-west1-b"}
    unknown = platform(KEPT, region="europe-west1", pool=far).models[0].weights.options
    assert [each.usd_month for each in unknown if each.source is WeightSource.BUCKET] == [None]


@pytest.mark.parametrize(
    ("model", "bucket", "said"),
    [
        ({**KEPT, **BUCKET, "vllmVersion": "0.24.0"}, {}, "vLLM 0.24.0 was not seen to read buckets"),
        ({**KEPT, **BUCKET, "engine": {"loadFormat": "safetensors"}}, {}, "engine.loadFormat lets vLLM read otherwise"),
        ({**KEPT, **BUCKET, "engine": {"extraArgs": ["--tokenizer", "a/b"]}}, {}, "--tokenizer lets vLLM read otherw"),
        (
            {**KEPT, **BUCKET, "engine": {"lora": {"adapters": [{"name": "sql", "path": "acme/sql"}]}}},
            {},
            "models[0].weights.kind: bucket is not possible: vLLM reads engine.lora.adapters from the hub",
        ),
        ({**KEPT, "weights": {"kind": "bucket", "name": "x"}}, {}, "models[0].weights.name: is no key of a stack file"),
        (
            KEPT,
            {"existing": "acme-weights", "deletable": True},
            "weightsBucket: deletable: a bucket that exists is nev",
        ),
        (KEPT, {"existing": "Acme"}, "weightsBucket.existing: "),
        (KEPT, {"name": "x"}, "weightsBucket.name: is no key of a stack file"),
        (KEPT, "acme", "weightsBucket"),
    ],
)
def test_a_wrong_combination_is_one_error_with_its_path(model: dict[str, Any], bucket: Any, said: str) -> None:
    text = refusal(model, bucket=bucket)
    assert said in text and len(text.splitlines()) == 2


def test_a_name_that_google_refuses_is_refused_before() -> None:
    text = refusal(KEPT, project="my-google-project")
    assert "weightsBucket: my-google-project-test-weights cannot be its name" in text


def test_a_node_cache_without_a_pinned_revision_is_a_warning_and_a_bucket_is_none() -> None:
    def warned(model: dict[str, Any]) -> bool:
        return any("may hold different commits" in each.text for each in platform(model).warnings)

    cached = {**KEPT, "weights": {"kind": "nodeCache"}}
    assert warned(cached) and not warned({**cached, "engine": {"revision": "0" * 40}}) and not warned(KEPT)


@pytest.mark.parametrize("role", [Role.LEADER, Role.WORKER])
def test_each_pod_looks_whether_the_bucket_is_full_and_streams_from_it(role: Role) -> None:
    plan = planned(TWO_NODES)
    address = "gs://acme-inference-test-weights/models/google--gemma-3-27b-it/main"
    words = container(plan, role)["args"]
    assert words[0] == address and "--load-format runai_streamer" in " ".join(words)
    assert words[words.index("--model-loader-extra-config") + 1] == '{"distributed":true}'
    assert words[words.index("--served-model-name") + 1] == plan.served_name == "google/gemma-3-27b-it"
    assert list(flag_table("0.33.0").check_flags(expanded(words[1:], 0))) == []
    (check,) = pod(plan, role)["initContainers"]
    assert "/".join(check["args"][:2]) == address.removeprefix("gs://")
    assert "HF_TOKEN_PATH" not in json.dumps(check) and environment(plan, role)["HF_HUB_OFFLINE"] == "1"
    assert pod(plan, role)["serviceAccountName"] == "model-server"


def test_what_a_server_compiles_stays_on_the_node_where_it_has_disks_and_weights_take_none() -> None:
    plan = planned(KEPT)
    use = plan.weights.node_cache
    assert use and use.repositories == () and use.room_gib == 0
    assert environment(plan)["VLLM_CACHE_ROOT"] == f"/var/cache/node/kernels/{use.kernels}/vllm"
    assert f"--kernels=/var/cache/node/kernels/{use.kernels}" in pod(plan)["initContainers"][0]["args"]
    assert plan.resources.ephemeral_storage_gib < plan.resources.weights_gib
    bare = planned({"model": "meta-llama/Llama-3.1-8B-Instruct", "minContext": 4096}, pool=L4)
    assert bare.weights.bucket and bare.weights.node_cache is None
    assert "weights" not in {volume["name"] for volume in pod(bare)["volumes"]}
    assert "--model-loader-extra-config" not in bare.arguments
    assert "hostPath" not in json.dumps(pod(bare))


def test_one_job_fills_what_several_servers_read_and_another_revision_is_another_folder() -> None:
    pinned = {**KEPT, "engine": {"revision": "refs/pr/7"}}
    plan = platform(KEPT, KEPT, pinned)
    assert [fill.use.folder for fill in plan.bucket_fills] == [
        "models/google--gemma-3-27b-it/main",
        "models/google--gemma-3-27b-it/refs--pr--7",
    ]
    job = weights_fill(plan.bucket_fills[1], TOKEN)
    spec = job["spec"]["template"]["spec"]  # type: ignore[typeddict-item]
    (only,) = spec["containers"]
    assert only["args"][1:] == [plan.bucket_fills[1].use.folder, "google/gemma-3-27b-it", "refs/pr/7"]
    assert spec["serviceAccountName"] == "weights-fill" and only["securityContext"]["readOnlyRootFilesystem"]
    assert "nvidia.com/gpu" not in json.dumps(only["resources"])
    assert plan.bucket_fills[0].deadline > 523 * 1.5


def test_a_stack_without_a_bucket_has_nothing_of_it() -> None:
    values = {"region": "us-central1", "nodePools": [H200], "models": [{"name": "m", **KEPT}]}
    plan = plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")
    assert plan.weights_bucket is None and plan.bucket_fills == () and plan.access.metadata_servers == ()
    assert "storage.googleapis.com" not in plan.services
