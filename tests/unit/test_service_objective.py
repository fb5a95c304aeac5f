"""A service objective becomes the cheapest shape that starts and meets it, with a promise that says its grounds."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from catalog import ACCELERATORS, MODELS
from catalog.performance import performance
from config import ConfigurationError
from config.validate import validate
from planning.engine import engine_of
from planning.fit import fit
from planning.performance import library
from planning.performance.choice import ServiceChoice
from planning.platform import plan_platform
from planning.report import sections, to_text
from planning.shape import ShapeRefused, ShapeRequest
from tests.unit.objectives import LLAMA_8B, TEN, VLLM, Case, choose, objective
from tests.unit.questions import question
from tests.unit.serving import H200, L4, platform

CHAT: dict[str, Any] = {
    "timeToFirstToken": 500,
    "timePerOutputToken": 30,
    "requestsPerSecond": 40,
    "inputTokens": 1024,
    "outputTokens": 256,
}
SERVED = {"model": LLAMA_8B, "serviceObjective": CHAT}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The answers of this module's tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("case", TEN, ids=lambda case: case.what)
def test_an_objective_gets_the_shape_that_an_engineer_expects_and_it_starts(case: Case) -> None:
    found = choose(case.model, case.accelerator, case.objective)
    assert (found.shape.gpus, found.shape.replicas) == (case.gpus, case.replicas)
    _keeps_its_promise(found)
    shape = found.shape
    request = ShapeRequest(
        vllm=VLLM,
        tensor_parallel=shape.tensor_parallel,
        pipeline_parallel=shape.pipeline_parallel,
        expert_parallel=shape.expert_parallel or None,
        max_model_len=shape.settings.max_model_len,
        max_num_seqs=shape.settings.max_num_seqs,
    )
    assert fit(question(MODELS[case.model], case.accelerator, request, shape.machine_type)).fits
    assert shape.settings.max_model_len >= case.objective.tokens
    assert "the lowest price that meets the objective" in shape.reasons[0]


def _keeps_its_promise(found: ServiceChoice) -> None:
    expected, wanted = found.expected, found.expected.objective
    assert expected.first_token_ms < expected.first_token_ms_at_worst <= wanted.time_to_first_token
    assert expected.per_token_ms < expected.per_token_ms_at_worst <= wanted.time_per_output_token
    assert expected.requests_per_second > expected.requests_per_second_at_worst
    assert expected.requests_per_second_at_worst >= wanted.requests_per_second * 0.9999
    assert expected.sequences <= found.shape.settings.max_num_seqs


asked = st.tuples(
    st.floats(30, 3000), st.floats(2, 100), st.floats(0.01, 400), st.integers(1, 20000), st.integers(2, 2000)
)
factor = st.floats(1, 8)


served = st.sampled_from(
    [(LLAMA_8B, "h200"), (LLAMA_8B, "rtx-pro-6000"), (LLAMA_8B, "b200"), ("Qwen/Qwen3-30B-A3B", "h200")]
)


@given(asked=asked, first=factor, token=factor, load=factor, served=served)
@example(asked=(90.0, 20.0, 10.0, 1024, 256), first=2.0, token=2.0, load=3.0, served=(LLAMA_8B, "h200"))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_stricter_objective_is_never_cheaper_or_smaller_and_more_load_never_takes_fewer_gpus(
    asked: tuple[float, float, float, int, int], first: float, token: float, load: float, served: tuple[str, str]
) -> None:
    strict = objective(*asked)
    loose = objective(asked[0] * first, asked[1] * token, asked[2], *asked[3:])
    busier = objective(*asked[:2], asked[2] * load, *asked[3:])
    sizes = [_size(*served, each) for each in (loose, strict, busier)]
    assert sizes == sorted(sizes)
    assert [gpus for _, gpus in sizes] == sorted(gpus for _, gpus in sizes)


def _size(model: str, where: str, wanted: Any) -> tuple[float, int]:
    """USD per hour and GPUs; infinite where it cannot be."""
    try:
        shape = choose(model, where, wanted).shape
    except ShapeRefused:
        return (float("inf"), 10**9)
    assert shape.usd_per_hour is not None
    return (round(shape.usd_per_hour * shape.replicas, 6), shape.gpus * shape.replicas)


def test_what_cannot_be_met_is_refused_with_the_nearest_which_can() -> None:
    wanted = objective(500, 1, 1, 1024, 256)
    with pytest.raises(ShapeRefused) as refused:
        choose(LLAMA_8B, "h200", wanted)
    assert "the nearest is TP 8" in refused.value.message
    numbers = refused.value.numbers
    first, token = numbers["first_token_ms"], numbers["per_token_ms"]
    assert isinstance(first, float) and isinstance(token, float)
    nearest = objective(max(500, first + 0.1), token + 0.01, 1, 1024, 256)
    assert choose(LLAMA_8B, "h200", nearest).shape.tensor_parallel == 8


@pytest.mark.parametrize(
    ("model", "accelerator", "request_", "reason"),
    [
        ("google/gemma-3-27b-it", "h200", {}, "has no model with the facts of google/gemma-3-27b-it"),
        (LLAMA_8B, "l4", {}, "has no tables of vLLM for NVIDIA L4"),
        (LLAMA_8B, "a100-40gb", {}, "has no tables of vLLM for NVIDIA A100 40 GB"),
        (LLAMA_8B, "h200", {"adapter_slots": 1, "adapter_rank": 16}, "no figures for LoRA adapters"),
        (LLAMA_8B, "h200", {"enforce_eager": True}, "no figures for an eager server"),
        ("Qwen/Qwen3-32B-FP8", "rtx-pro-6000", {}, "unknown: aiconfigurator-core: perf database error: .*no data"),
    ],
)
def test_what_the_tables_do_not_cover_is_unknown_with_the_reason_and_never_guessed(
    model: str, accelerator: str, request_: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ShapeRefused, match=reason):
        choose(model, accelerator, objective(5000, 500, 0.1, 1024, 256), **request_)


def test_a_model_of_the_same_facts_is_as_fast_and_a_quantised_copy_is_another() -> None:
    tuned = MODELS[LLAMA_8B].model_copy(update={"id": "acme/tuned", "title": None, "context": 8192})
    system = performance().systems["h200"]
    assert library._counterpart(tuned, system, library.Deployment(1)) == "meta-llama/Meta-Llama-3.1-8B"
    # Of these two configs one is abridged: it does not say in its config.json that it is quantised.
    assert library._counterpart(MODELS["Qwen/Qwen3-32B"], system, library.Deployment(1)) == "Qwen/Qwen3-32B"
    wider = tuned.model_copy(update={"intermediate_size": 16384})
    with pytest.raises(library.Unknown, match="no model with the facts of acme/tuned"):
        library._counterpart(wider, system, library.Deployment(1))


def test_the_batch_that_the_objective_allows_is_written_on_the_command_line() -> None:
    plan = platform(SERVED).models[0]
    words = list(plan.arguments)
    assert words[words.index("--max-num-seqs") + 1] == str(plan.shape.settings.max_num_seqs)
    assert plan.expected is not None
    assert plan.replicas == plan.shape.replicas == 2
    own = platform({**SERVED, "maxNumSeqs": 64}).models[0]
    assert own.shape.settings.max_num_seqs == 64
    assert own.replicas > plan.replicas


def test_without_an_objective_nothing_is_expected_and_vllm_keeps_its_own_batch() -> None:
    plan = platform({"model": LLAMA_8B}).models[0]
    assert plan.expected is None
    assert plan.shape.settings.max_num_seqs == engine_of(plan.shape.vllm).defaults.max_num_seqs


def test_the_plan_says_what_is_expected_and_that_it_is_no_measurement() -> None:
    text = to_text(sections(platform(SERVED), "test"))
    assert "Service objectives (estimates, no measurements)" in text
    assert "from kernels of vLLM 0.24.0, and the server is vLLM 0.33.0" in text
    assert "USD per million output tokens" in text
    assert "which is counted in; seen on dense models in bfloat16 on h200" in text


def test_a_model_that_names_no_pool_goes_to_the_cheapest_that_meets_its_objective() -> None:
    pro = {"name": "pro", "accelerator": "rtx-pro-6000", "zone": "us-central1-b", "nodes": 8}
    pools = [{**pro, "capacity": {"kind": "spot"}}, {**L4, "name": "small"}, {**H200, "name": "large"}]
    values = {"region": "us-central1", "nodePools": pools, "models": [{"name": "chat", **SERVED}]}
    chosen = plan_platform(validate("test", values, frozenset(), to_deploy=False), "test").models[0]
    alone = {pool["name"]: platform(SERVED, pool=pool).models[0].shape for pool in pools if pool["accelerator"] != "l4"}
    prices = {name: (shape.usd_per_hour or 0) * shape.replicas for name, shape in alone.items()}
    assert chosen.node_pool == min(prices, key=lambda name: prices[name])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"serviceObjective": {**CHAT, "timePerOutputToken": 1}}, "the nearest is TP 8"),
        ({"engine": {"attentionBackend": "FLASHINFER"}}, "how fast it serves is unknown"),
        ({"replicas": 1, "tensorParallel": 1}, "takes 2 replicas, and replicas says 1"),
        ({"objective": "latency"}, "objective and serviceObjective both say"),
        ({"serviceObjective": {**CHAT, "inputTokens": 200_000}}, "is longer than the 131072"),
        ({"serviceObjective": {**CHAT, "requestsPerSecond": 0}}, "greater than 0"),
        (
            {"serviceObjective": {**CHAT, "cachedPrefixShare": 0.5}, "engine": {"enablePrefixCaching": False}},
            "cachedPrefixShare counts on it",
        ),
    ],
)
def test_an_objective_that_cannot_be_planned_is_refused_at_its_key(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        platform({**SERVED, **changes})
    assert problem in str(refused.value)
    assert "models[0]" in str(refused.value)


def test_a_missing_library_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent(name: str) -> str:
        raise library.PackageNotFoundError(name)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(library, "version", absent)
    with pytest.raises(ConfigurationError) as refused:
        platform(SERVED)
    assert "models[0].serviceObjective" in str(refused.value)
    assert "aiconfigurator-core 0.12.0, which is not installed" in str(refused.value)
    assert "requirements-performance.txt" in str(refused.value)


def test_a_prefix_in_the_cache_shortens_the_first_token_and_leaves_more_room() -> None:
    cold = choose(LLAMA_8B, "h200", objective(5000, 50, 1, 8000, 256))
    warm = choose(LLAMA_8B, "h200", objective(5000, 50, 1, 8000, 256, 0.9))
    assert warm.expected.first_token_ms < cold.expected.first_token_ms / 2
    assert warm.expected.requests_per_second > cold.expected.requests_per_second


def test_every_accelerator_with_tables_is_one_of_the_catalogue() -> None:
    assert set(performance().systems) <= set(ACCELERATORS)
