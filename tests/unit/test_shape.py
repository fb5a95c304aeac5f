"""Shapes: what is chosen, what is refused with which numbers, and what holds for every model on every machine."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from catalog import ACCELERATORS
from catalog.cold_start import WeightSource
from catalog.model import MODELS, KvCacheDtype, Model
from config.models import Objective
from planning.candidates import evaluate
from planning.engine import GraphRules, ServeSettings
from planning.legality import legal_tensor_parallel
from planning.load_time import Reader, load_time
from planning.parallelism import choose_shape
from planning.shape import GpuNode, Pattern, ShapePlan, ShapeQuestion, ShapeRefused, ShapeRequest
from tests.unit.questions import node, question

PINNED = ShapeRequest(vllm="0.33.0")


def plan(model: str | Model, accelerator: str, machine: str | None = None, **wanted: object) -> ShapePlan:
    request = replace(PINNED, **wanted)  # type: ignore[arg-type]
    described = MODELS[model] if isinstance(model, str) else model
    return choose_shape(question(described, accelerator, request, machine))


def shape(chosen: ShapePlan) -> tuple[int, int]:
    return chosen.tensor_parallel, chosen.pipeline_parallel


def test_gemma_on_sixteen_gpus_is_planned_with_the_one_gpu_alternative_and_both_costs() -> None:
    chosen = plan("google/gemma-3-27b-it", "h200", tensor_parallel=8, pipeline_parallel=2)
    assert shape(chosen) == (8, 2)
    assert chosen.pattern is Pattern.MULTI_NODE
    warning = next(text for text in chosen.warnings if text.startswith("wasteful"))
    assert "16 GPUs (169.61 USD/h)" in warning
    assert "1 GPU (10.60 USD/h)" in warning


def test_gemma_left_to_the_planner_takes_one_gpu_for_throughput_and_one_node_for_latency() -> None:
    assert shape(plan("google/gemma-3-27b-it", "h200")) == (1, 1)
    fast = plan("google/gemma-3-27b-it", "h200", objective=Objective.LATENCY)
    assert fast.nodes == 1
    assert fast.tensor_parallel > 1


@pytest.mark.parametrize(
    ("model", "accelerator", "expected"),
    [
        ("meta-llama/Llama-3.1-405B-Instruct", "h200", (8, 1)),
        ("deepseek-ai/DeepSeek-R1", "h200", (8, 1)),
        ("deepseek-ai/DeepSeek-R1", "h100-mega", (8, 2)),
        ("meta-llama/Llama-3.3-70B-Instruct", "h200", (2, 1)),
        ("meta-llama/Llama-3.1-8B-Instruct", "h200", (1, 1)),
        ("google/gemma-3-1b-it", "l4", (1, 1)),
    ],
)
def test_large_models_take_as_few_nodes_and_gpus_as_hold_them(
    model: str, accelerator: str, expected: tuple[int, int]
) -> None:
    assert shape(plan(model, accelerator)) == expected


@pytest.mark.parametrize("objective", Objective)
def test_a_model_described_by_hand_that_needs_two_nodes_gets_tp_8_and_pp_2(objective: Objective) -> None:
    entry = MODELS["deepseek-ai/DeepSeek-V3"]
    held_in_bf16 = entry.model_copy(update={"quantization": None, "checkpoint_gib": 1250.0})
    chosen = plan(held_in_bf16, "h200", objective=objective)
    assert shape(chosen) == (8, 2)
    assert (chosen.nodes, chosen.gpus_per_node) == (2, 8)


def test_a_model_too_large_for_the_fixed_shape_is_refused_with_the_missing_gib() -> None:
    with pytest.raises(ShapeRefused) as refused:
        plan("meta-llama/Llama-3.3-70B-Instruct", "h200", tensor_parallel=1)
    assert refused.value.numbers["missing_gib"] == pytest.approx(48, abs=2)
    assert "GiB are missing" in refused.value.message
    assert "\n" not in refused.value.message


def test_tp_6_is_refused_with_the_legal_values() -> None:
    with pytest.raises(ShapeRefused, match=r"64 attention heads.*legal values: 1, 2, 4, 8") as refused:
        plan("meta-llama/Llama-3.3-70B-Instruct", "h200", tensor_parallel=6)
    assert refused.value.numbers["legal"] == (1, 2, 4, 8)


def test_tensor_parallel_stays_in_the_nvlink_domain() -> None:
    with pytest.raises(ShapeRefused, match="joins 8 GPUs"):
        plan("meta-llama/Llama-3.1-405B-Instruct", "h200", tensor_parallel=16)
    across = plan("deepseek-ai/DeepSeek-R1", "gb200")
    assert across.tensor_parallel * across.pipeline_parallel > 4
    assert across.nodes > 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"pipeline_parallel": 200}, "layers"),
        ({"tensor_parallel": 4, "pipeline_parallel": 3}, "whole nodes"),
        ({"max_model_len": 10**6}, "1000000 is more than the 131072"),
        ({"min_context": 200_000}, "200000 is more than the 131072"),
        ({"min_context": 9000, "max_model_len": 8000}, "9000 is more than max_model_len 8000"),
        ({"kv_cache_dtype": KvCacheDtype.FP8_DS_MLA}, "latent"),
        ({"min_concurrency": 100_000, "replicas": 1}, "100000 are wanted"),
    ],
)
def test_what_cannot_be_is_refused_with_its_numbers(wanted: dict[str, object], message: str) -> None:
    with pytest.raises(ShapeRefused, match=message) as refused:
        plan("meta-llama/Llama-3.3-70B-Instruct", "h200", **wanted)
    assert "\n" not in refused.value.message


def test_a_release_older_than_the_model_is_refused() -> None:
    with pytest.raises(ShapeRefused, match=r"needs vLLM 0\.25\.0"):
        plan("moonshotai/Kimi-K2.6", "h200", vllm="0.24.0")


def test_experts_that_a_block_cannot_be_cut_into_are_dealt_out_whole_by_releases_that_do_not_cut_it_finer() -> None:
    model = "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8"
    assert not plan(model, "h100", tensor_parallel=8).expert_parallel
    assert plan(model, "h100", tensor_parallel=8, vllm="0.24.0").expert_parallel
    with pytest.raises(ShapeRefused, match="block of 128"):
        plan(model, "h100", tensor_parallel=8, expert_parallel=False, vllm="0.24.0")


def test_a_shorter_context_is_only_planned_where_it_is_enough() -> None:
    with pytest.raises(ShapeRefused, match="up to 26416 tokens start"):
        plan("meta-llama/Llama-3.1-8B-Instruct", "l4", "g2-standard-12")
    chosen = plan("meta-llama/Llama-3.1-8B-Instruct", "l4", "g2-standard-12", min_context=8192)
    assert 8192 <= chosen.settings.max_model_len < 131072
    assert any("longest that starts" in reason for reason in chosen.reasons)


def test_concurrency_is_reached_by_replicas() -> None:
    chosen = plan("meta-llama/Llama-3.1-8B-Instruct", "h200", min_concurrency=100)
    assert chosen.replicas * int(chosen.concurrency) >= 100 > (chosen.replicas - 1) * int(chosen.concurrency)


def test_replicas_that_the_user_wants_are_no_waste() -> None:
    chosen = plan("google/gemma-3-27b-it", "h200", tensor_parallel=1, replicas=8)
    assert chosen.replicas == 8
    assert not any(text.startswith("wasteful") for text in chosen.warnings)


def test_every_alternative_carries_the_number_that_ruled_it_out() -> None:
    for chosen in (
        plan("meta-llama/Llama-3.3-70B-Instruct", "h200"),
        plan("google/gemma-3-27b-it", "l4", "g2-standard-96"),
    ):
        assert chosen.reasons
        assert chosen.rejected
        assert all(any(character.isdigit() for character in rejected.why) for rejected in chosen.rejected)


def test_a_start_is_given_time_for_its_size() -> None:
    small, large = MODELS["google/gemma-3-1b-it"], MODELS["deepseek-ai/DeepSeek-R1"]
    flags = ServeSettings(
        max_model_len=32768,
        gpu_memory_utilization=0.92,
        max_num_seqs=1024,
        max_num_batched_tokens=8192,
        block_size=16,
        graphs=GraphRules(largest=512, whole_batches=True),
    )
    one = Reader(local_ssds=32)
    short, long = load_time(small, flags, one), load_time(large, flags, one)
    assert 61 < short.total < 600  # 61 s were measured without any weights to fetch
    assert long.fetch > 100 * short.fetch
    kept = load_time(large, flags, one, WeightSource.NODE_CACHE, again=True)
    assert kept.fetch == 0 and kept.compile < long.compile and kept.read == long.read
    assert load_time(large, flags, one, again=True) == long
    assert load_time(large, flags, Reader(2, 8, 32)).read == pytest.approx(long.read / 16)
    assert load_time(large, flags, Reader()).read > long.read
    assert load_time(small, flags.model_copy(update={"enforce_eager": True}), one).compile == 0


MACHINES = [(name, machine.name) for name in ACCELERATORS for machine in ACCELERATORS[name].machine_types]
models = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)
machines = st.sampled_from(MACHINES).map(lambda pair: node(*pair))
requests = st.builds(
    ShapeRequest,
    vllm=st.sampled_from(["0.24.0", "0.33.0"]),
    objective=st.sampled_from(Objective),
    min_context=st.none() | st.integers(1, 32768),
    min_concurrency=st.integers(1, 200),
    max_nodes=st.integers(1, 4),
    max_model_len=st.none() | st.integers(1024, 131072),
    gpu_memory_utilization=st.none() | st.floats(0.5, 0.98),
    max_num_seqs=st.none() | st.integers(1, 2048),
    max_num_batched_tokens=st.none() | st.integers(512, 32768),
    kv_cache_dtype=st.sampled_from([KvCacheDtype.AUTO, KvCacheDtype.FP8]),
    expert_parallel=st.none() | st.booleans(),
)
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@many
@given(models, machines, requests)
def test_an_accepted_plan_passes_its_own_validation_when_written_back(
    model: Model, where: GpuNode, request: ShapeRequest
) -> None:
    try:
        chosen = choose_shape(ShapeQuestion(model, where, request))
    except ShapeRefused as refused:
        assert "\n" not in refused.message
        return
    assert chosen.memory.fits
    assert chosen.settings.max_model_len >= (request.min_context or 1)
    explicit = replace(
        request,
        tensor_parallel=chosen.tensor_parallel,
        pipeline_parallel=chosen.pipeline_parallel,
        expert_parallel=chosen.expert_parallel,
        replicas=chosen.replicas,
        max_model_len=chosen.settings.max_model_len,
        gpu_memory_utilization=chosen.settings.gpu_memory_utilization,
        max_num_seqs=chosen.settings.max_num_seqs,
        max_num_batched_tokens=chosen.settings.max_num_batched_tokens,
    )
    again = choose_shape(ShapeQuestion(model, where, explicit))
    # What the plan lowered by itself is now the stack file's own word.
    written = chosen.settings.model_copy(update={"fewer_sequences": False})
    assert (shape(again), again.memory, again.settings) == (shape(chosen), chosen.memory, written)
    assert (again.expert_parallel, again.replicas) == (chosen.expert_parallel, chosen.replicas)


@many
@given(models, machines, requests)
def test_planning_is_deterministic(model: Model, where: GpuNode, request: ShapeRequest) -> None:
    def once() -> object:
        try:
            return choose_shape(ShapeQuestion(model.model_copy(), where, replace(request)))
        except ShapeRefused as refused:
            return refused.message

    assert once() == once()


@many
@given(models, machines, requests)
def test_more_gpus_never_mean_fewer_cache_tokens_beyond_the_communication_overhead(
    model: Model, where: GpuNode, request: ShapeRequest
) -> None:
    request = replace(
        request, max_model_len=min(request.max_model_len or model.context, model.context), min_context=None
    )
    legal = legal_tensor_parallel(model, where, request.expert_parallel)
    pairs = [(size, 2 * size) for size in legal if 2 * size in legal]
    assume(pairs)
    for smaller, larger in pairs:
        few, more = (evaluate(ShapeQuestion(model, where, request), size, 1).memory for size in (smaller, larger))
        if more.weights_gib > few.weights_gib:
            continue  # the kernel of the experts pads a shard so fine to more than the wider one takes
        # 0.35 GiB for NCCL, and half a GiB for what either stage's blocks round down to.
        overhead = 0.85 / max(0.1, few.kv_cache_gib) if few.kv_cache_gib > 0 else 1
        assert more.kv_cache_tokens >= few.kv_cache_tokens * (1 - min(1, overhead)) - request.max_model_len * 0.01


@many
@given(models, machines, requests, st.integers(1, 8))
def test_more_stages_never_mean_fewer_cache_tokens_beyond_the_communication_overhead(
    model: Model, where: GpuNode, request: ShapeRequest, pipeline: int
) -> None:
    request = replace(
        request, max_model_len=min(request.max_model_len or model.context, model.context), min_context=None
    )
    older = ShapeQuestion(model, where, replace(request, vllm="0.24.0"))
    few, more = (evaluate(older, 1, size).memory for size in (pipeline, 2 * pipeline))
    if few.kv_cache_gib > 1:
        assert more.kv_cache_tokens >= few.kv_cache_tokens * (1 - 0.85 / few.kv_cache_gib)
