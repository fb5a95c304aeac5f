"""What sparse attention sets aside, and where it runs, is in the formulas, where nobody asked vLLM's own code."""

import pytest

from catalog import ACCELERATORS, PINS
from catalog.model import MODELS, KvCacheDtype
from catalog.recorded import Way, record_of
from planning.engine import (
    ServeSettings,
    default_max_num_batched_tokens,
    default_max_num_seqs,
    engine_of,
    graph_rules,
)
from planning.fit import fit
from planning.memory import counted_weights
from planning.server import Server
from planning.shape import GpuNode, ShapeRequest
from planning.weights import COMMUNICATOR, Sharding, stages_of
from tests.unit.questions import question

ENGINE = engine_of(PINS.vllm)
AUTO, FP8 = KvCacheDtype.AUTO, KvCacheDtype.FP8


@pytest.mark.parametrize(
    ("name", "accelerator", "tensor", "pipeline", "cache"),
    [
        ("deepseek-ai/DeepSeek-V3.2", "h200", 8, 1, AUTO),
        ("deepseek-ai/DeepSeek-V3.2", "h200", 8, 1, FP8),
        ("deepseek-ai/DeepSeek-V3.2", "b200", 4, 2, AUTO),
        ("deepseek-ai/DeepSeek-V3.2", "b200", 8, 1, AUTO),
        ("deepseek-ai/DeepSeek-V3.2", "b200", 8, 1, FP8),
        ("deepseek-ai/DeepSeek-V3.2", "rtx-pro-6000", 8, 1, AUTO),
        ("zai-org/GLM-5.1-FP8", "b200", 8, 1, AUTO),
        ("nvidia/GLM-5.2-NVFP4", "b200", 8, 1, AUTO),
        ("nvidia/GLM-5.2-NVFP4", "rtx-pro-6000", 8, 1, AUTO),
        ("nvidia/GLM-5.2-NVFP4", "h200", 4, 2, AUTO),
    ],
)
def test_what_its_kernel_sets_aside_is_what_vllm_says(
    name: str, accelerator: str, tensor: int, pipeline: int, cache: KvCacheDtype
) -> None:
    model, entry = MODELS[name], ACCELERATORS[accelerator]
    card = GpuNode.of(entry, max(entry.machine_types, key=lambda machine: machine.gpus)).card
    settings = ServeSettings(
        max_model_len=model.context,
        gpu_memory_utilization=0.9,
        max_num_seqs=default_max_num_seqs(card, ENGINE),
        max_num_batched_tokens=default_max_num_batched_tokens(card, ENGINE),
        block_size=ENGINE.defaults.block_size,
        graphs=graph_rules(card, ENGINE),
        kv_cache_dtype=cache,
    )
    server = Server(model, card, Sharding(tensor, pipeline), settings, ENGINE)
    record = record_of(model, PINS.vllm)
    assert record is not None
    said = record.case(card.capability, Way(tensor, pipeline, False, cache, 0))
    assert said is not None
    counted = [counted_weights(server, stage) - COMMUNICATOR for stage in stages_of(model, pipeline)]
    assert counted == pytest.approx(said.weights, rel=0.0015)


@pytest.mark.parametrize(("accelerator", "runs"), [("a100-80gb", False), ("l4", False), ("rtx-pro-6000", True)])
def test_it_is_refused_where_no_kernel_of_the_card_computes_it(accelerator: str, runs: bool) -> None:
    """vLLM 0.33.0 ends there with "No valid attention backend found"."""
    model = MODELS["nvidia/GLM-5.2-NVFP4"].model_copy(update={"id": "somebody/like-it"})
    largest = max(ACCELERATORS[accelerator].machine_types, key=lambda machine: machine.gpus).name
    for tensor in (8, None):
        request = ShapeRequest(PINS.vllm, tensor_parallel=tensor, max_model_len=4096)
        told = fit(question(model, accelerator, request, largest)).reasons
        assert any("sparse attention, for which vLLM has no kernel" in reason for reason in told) is not runs
