"""What a release's kernels pad on cards other than Hopper is in the formulas, where nobody asked vLLM's own code."""

from dataclasses import replace
from typing import Any

import pytest

from catalog import ACCELERATORS, PINS
from catalog.engine import Kernel
from catalog.hugging_face import model_from_config
from catalog.model import MODELS, KvCacheDtype, Model, WeightFormat
from catalog.recorded import Way, record_of
from planning.engine import ServeSettings, engine_of, graph_rules
from planning.fit import fit
from planning.kv_cache import kv_layout
from planning.memory import cache_settings, counted_weights, gpu_memory
from planning.recorded import recorded_answer
from planning.server import Server
from planning.shape import GpuNode, ShapeRequest
from planning.weights import COMMUNICATOR, Sharding, stages_of
from tests.unit.configs import llama
from tests.unit.questions import question

ENGINE = engine_of(PINS.vllm)
MIXTURE = "Qwen/Qwen3-30B-A3B"


def unasked(name: str) -> Model:
    """The same model under an id of which nobody asked vLLM."""
    return MODELS[name].model_copy(update={"id": "somebody/like-it"})


def server(model: Model, accelerator: str, tensor: int) -> Server:
    entry = ACCELERATORS[accelerator]
    card = GpuNode.of(entry, max(entry.machine_types, key=lambda machine: machine.gpus)).card
    settings = ServeSettings(
        max_model_len=4096,
        gpu_memory_utilization=0.9,
        max_num_seqs=256,
        max_num_batched_tokens=8192,
        block_size=16,
        graphs=graph_rules(card, ENGINE),
    )
    return Server(model, card, Sharding(tensor), settings, ENGINE)


def asked_weights(name: str, capability: str, tensor: int) -> int:
    record = record_of(MODELS[name], PINS.vllm)
    assert record is not None
    said = record.case(capability, Way(tensor, 1, False, KvCacheDtype.AUTO, 0))
    assert said is not None
    return said.weights[0] + (COMMUNICATOR if tensor > 1 else 0)


@pytest.mark.parametrize(
    ("name", "accelerator", "tensor"),
    [
        (MIXTURE, "b200", 2),
        (MIXTURE, "b200", 4),
        (MIXTURE, "b200", 8),
        (MIXTURE, "a100-80gb", 4),
        (MIXTURE, "rtx-pro-6000", 4),
        ("deepseek-ai/DeepSeek-V2-Lite-Chat", "b200", 8),
        ("nvidia/Gemma-4-26B-A4B-NVFP4", "gb300", 4),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "gb300", 4),
        ("nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", "gb300", 1),
        ("nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", "gb300", 2),
        ("nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", "b200", 4),
        ("nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", "l4", 2),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "rtx-pro-6000", 4),
        ("nvidia/MiniMax-M2.5-NVFP4", "rtx-pro-6000", 8),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", "b200", 8),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "b200", 4),
        ("google/gemma-4-26B-A4B-it", "b200", 8),
        ("openai/gpt-oss-20b", "a100-80gb", 4),
        ("openai/gpt-oss-20b", "l4", 1),
        ("openai/gpt-oss-120b", "l4", 8),
        ("Qwen/Qwen3-32B-FP8", "l4", 8),
        ("Qwen/Qwen3-30B-A3B-FP8", "l4", 4),
        ("Qwen/Qwen3-30B-A3B-FP8", "a100-80gb", 2),
    ],
)
def test_weights_that_nobody_asked_about_are_what_vllm_says_of_them(name: str, accelerator: str, tensor: int) -> None:
    like = server(unasked(name), accelerator, tensor)
    assert recorded_answer(like) is None
    stage = stages_of(like.model, 1)[0]
    assert counted_weights(like, stage) == pytest.approx(asked_weights(name, like.card.capability, tensor), rel=0.01)
    assert gpu_memory(like).weights_gib == pytest.approx(
        gpu_memory(server(MODELS[name], accelerator, tensor)).weights_gib, rel=0.01
    )


@pytest.mark.parametrize(
    ("inputs", "form"), [(None, WeightFormat.NVFP4_A16), ({"num_bits": 4, "type": "float"}, WeightFormat.NVFP4)]
)
def test_weights_alone_in_nvfp4_are_read_as_such(inputs: dict[str, Any] | None, form: WeightFormat) -> None:
    weights = {"num_bits": 4, "type": "float", "group_size": 16, "strategy": "tensor_group"}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    stored = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}
    model = model_from_config(llama(32, 4096, 14336, 32) | {"quantization_config": stored}, "a/model")
    assert model.quantization is not None and model.quantization.format is form


@pytest.mark.parametrize(("accelerator", "blocks"), [("a100-80gb", 2), ("l4", 2), ("h200", 3), ("b200", 3)])
def test_linear_layers_keep_a_checkpoint_only_where_their_kernel_takes_one(accelerator: str, blocks: int) -> None:
    like = server(unasked("Qwen/Qwen3.5-27B"), accelerator, 8)
    layout = kv_layout(like.model, cache_settings(like), 8, 1, stages_of(like.model, 1)[0])
    assert {group.constant_blocks for group in layout.groups} == {blocks, None}


def test_state_space_layers_keep_theirs_on_every_card() -> None:
    like = server(unasked("nvidia/Nemotron-H-56B-Base-8K"), "l4", 8)
    layout = kv_layout(like.model, cache_settings(like), 8, 1, stages_of(like.model, 1)[0])
    assert {group.constant_blocks for group in layout.groups} == {3, None}


def test_latent_attention_has_blocks_of_32_tokens_on_blackwell_of_data_centres() -> None:
    for accelerator, tokens in (("b200", 32), ("h200", 16), ("rtx-pro-6000", 16)):
        like = server(unasked("deepseek-ai/DeepSeek-V2-Lite-Chat"), accelerator, 1)
        (group,) = kv_layout(like.model, cache_settings(like), 1, 1, stages_of(like.model, 1)[0]).groups
        assert group.tokens_per_block == tokens


def test_wide_heads_that_see_images_ahead_have_blocks_of_64_tokens_on_blackwell_of_data_centres() -> None:
    for name, accelerator, tokens in (
        ("google/gemma-4-26B-A4B-it", "b200", 64),
        ("google/gemma-4-26B-A4B-it", "h200", 16),
        ("google/gemma-3-27b-it", "b200", 16),
        ("google/gemma-3-1b-it", "b200", 16),
    ):
        like = server(unasked(name), accelerator, 1)
        groups = kv_layout(like.model, cache_settings(like), 1, 1, stages_of(like.model, 1)[0]).groups
        assert min(group.tokens_per_block for group in groups) == tokens


def test_experts_whose_kernel_pads_nothing_are_not_padded_on_blackwell() -> None:
    def weights(model: Model, accelerator: str) -> float:
        like = server(model, accelerator, 8)
        return counted_weights(like, stages_of(model, 1)[0])

    mixture = unasked(MIXTURE)
    assert mixture.experts is not None
    experts = mixture.experts.model_copy(update={"renormalised": False})
    other = mixture.model_copy(update={"experts": experts})
    assert weights(mixture, "b200") > 1.2 * weights(mixture, "h200")
    assert weights(other, "b200") == weights(other, "h200")
    gemma = unasked("google/gemma-4-26B-A4B-it")
    assert weights(gemma, "b200") == weights(gemma, "h200")


def test_what_fits_only_without_the_padding_does_not_fit() -> None:
    like = server(unasked(MIXTURE), "b200", 8)
    unpadded = replace(like, engine=ENGINE.model_copy(update={"kernels": {}}))
    needed = gpu_memory(unpadded)
    tight = (needed.weights_gib + needed.overhead_gib + needed.needed_kv_gib + 1) / needed.total_gib
    settings = like.settings.model_copy(update={"gpu_memory_utilization": tight})
    assert gpu_memory(replace(unpadded, settings=settings)).fits
    assert not gpu_memory(replace(like, settings=settings)).fits


def test_blocks_of_fp8_that_a_shard_of_experts_cuts_are_refused_on_a100() -> None:
    """As vLLM refuses them there: no kernel for experts in fp8 supports it."""
    model = unasked("Qwen/Qwen3-30B-A3B-FP8")
    request = ShapeRequest(PINS.vllm, tensor_parallel=4, expert_parallel=False)
    assert fit(question(model, "h200", request)).fits
    refused = fit(question(model, "a100-80gb", request, "a2-ultragpu-4g"))
    assert not refused.fits
    assert "no multiple of the quantisation block" in refused.reasons[0]
    dealt_out = fit(question(model, "a100-80gb", ShapeRequest(PINS.vllm, tensor_parallel=4), "a2-ultragpu-4g"))
    assert dealt_out.fits
    assert dealt_out.expert_parallel


@pytest.mark.parametrize(
    ("name", "accelerator", "asked", "possible"),
    [
        ("nvidia/Gemma-4-31B-IT-NVFP4", "a100-80gb", KvCacheDtype.AUTO, False),
        ("nvidia/Gemma-4-31B-IT-NVFP4", "a100-80gb", KvCacheDtype.BFLOAT16, True),
        ("nvidia/Gemma-4-31B-IT-NVFP4", "l4", KvCacheDtype.AUTO, True),
        ("deepseek-ai/DeepSeek-V2-Lite-Chat", "a100-80gb", KvCacheDtype.FP8, False),
        ("deepseek-ai/DeepSeek-V2-Lite-Chat", "h200", KvCacheDtype.FP8, True),
        ("Qwen/Qwen3-8B", "a100-80gb", KvCacheDtype.FP8, True),
        ("openai/gpt-oss-20b", "a100-80gb", KvCacheDtype.FP8, False),
        ("openai/gpt-oss-20b", "l4", KvCacheDtype.FP8, True),
        ("XiaomiMiMo/MiMo-V2-Flash", "rtx-pro-6000", KvCacheDtype.FP8, True),
        ("XiaomiMiMo/MiMo-V2-Flash", "b200", KvCacheDtype.FP8, False),
        ("XiaomiMiMo/MiMo-V2-Flash", "h200", KvCacheDtype.FP8, True),
    ],
)
def test_a_cache_in_fp8_is_refused_where_no_kernel_of_the_card_reads_one(
    name: str, accelerator: str, asked: KvCacheDtype, possible: bool
) -> None:
    """Also where the checkpoint asks for it; what vLLM's own code says of these shapes is recorded."""
    largest = max(ACCELERATORS[accelerator].machine_types, key=lambda machine: machine.gpus).name
    request = ShapeRequest(PINS.vllm, tensor_parallel=4, max_model_len=4096, kv_cache_dtype=asked)
    told = fit(question(unasked(name), accelerator, request, largest)).reasons
    assert any("no cache in fp8" in reason for reason in told) is not possible


def test_gated_experts_in_nvfp4_that_ranks_cut_unevenly_are_dealt_out_whole_on_rtx_pro() -> None:
    """vLLM 0.33.0 ends there with "Intermediate size padding for w1 and w3 ... not currently supported"."""
    model = unasked("nvidia/Gemma-4-26B-A4B-NVFP4")
    cut = ShapeRequest(PINS.vllm, tensor_parallel=2, expert_parallel=False, max_model_len=4096)
    refused = fit(question(model, "rtx-pro-6000", cut, "g4-standard-96"))
    assert "352 rows of an expert are no multiple of the 64" in refused.reasons[0]
    assert fit(question(model, "rtx-pro-6000", replace(cut, expert_parallel=None), "g4-standard-96")).expert_parallel
    assert fit(question(model, "b200", cut)).fits


def test_kernels_are_named_for_capabilities_that_cards_have() -> None:
    known = {accelerator.compute_capability for accelerator in ACCELERATORS.values()}
    assert set(ENGINE.kernels) <= known
    assert ENGINE.kernels_on("9.0").plain_experts is Kernel.TRITON


def test_integers_by_inputs_in_fp8_are_served_on_hopper_alone() -> None:
    """vLLM 0.33.0, compressed_tensors.py, _is_fp8_w4a8_sm90; its own code refuses it for capability 8.9 and 12.0."""
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}
    inputs = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}
    stored = {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": inputs}},
    }
    model = model_from_config(llama(32, 4096, 14336, 32) | {"quantization_config": stored}, "a/model")
    wanted = ShapeRequest(PINS.vllm, max_model_len=4096)
    assert fit(question(model, "h100", wanted)).fits
    for accelerator in ("l4", "a100-80gb", "rtx-pro-6000"):
        assert "capability 9.0 alone" in fit(question(model, accelerator, wanted)).reasons[0]


def test_modelopts_blocks_for_weights_alone_are_refused_where_marlin_would_have_them() -> None:
    stored = {"quant_method": "modelopt", "quant_algo": "FP8_PB_WO", "ignore": ["lm_head"]}
    model = model_from_config(llama(32, 4096, 14336, 32) | {"quantization_config": stored}, "a/model")
    wanted = ShapeRequest(PINS.vllm, max_model_len=4096)
    for accelerator, fits in (
        ("h100", True),
        ("b200", True),
        ("rtx-pro-6000", True),
        ("l4", False),
        ("a100-80gb", False),
    ):
        told = fit(question(model, accelerator, wanted))
        assert told.fits is fits, accelerator
        assert fits or "capability 10.0, 10.3, 12.0, 9.0 alone" in told.reasons[0]


def test_experts_in_nvfp4_with_biases_are_refused_on_hopper() -> None:
    like = unasked("openai/gpt-oss-20b")
    assert like.quantization is not None
    stored = like.quantization.model_copy(update={"format": WeightFormat.NVFP4})
    model = like.model_copy(update={"quantization": stored})
    wanted = ShapeRequest(PINS.vllm, max_model_len=4096)
    assert "experts in NVFP4 that have biases" in fit(question(model, "h200", wanted)).reasons[0]
    assert fit(question(model, "b200", wanted)).fits
