"""What vLLM did with published models on real machines, as their users reported it: the plan says the same."""

import re
from typing import Any

import pytest

from catalog import MODELS, Basis
from catalog.hugging_face import UnreadableConfigError, model_from_config
from catalog.model import KvCacheDtype, LinearAttention, LinearPart, Model, StateSpace
from config.models import Objective
from planning.engine import engine_of
from planning.fit import Fit, fit
from planning.kv_cache import CacheSettings, kv_layout
from planning.load_time import checkpoint_gib
from planning.parallelism import choose_shape
from planning.shape import ShapePlan, ShapeRefused, ShapeRequest
from planning.weights import GIB, Sharding, stages_of, weight_bytes
from tests.unit.configs import deepseek, internvl, llama, qwen2_5_vl, qwen2_vl, qwen3_moe
from tests.unit.questions import question
from tests.unit.serving import planned

PINNED = "0.33.0"

STATES = engine_of("0.24.0").states

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
PACKED = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 128}}},
}


def read(config: dict[str, Any], **changes: Any) -> Model:
    return model_from_config(config | changes, "a/model")


def asked(model: Model, accelerator: str, machine: str | None = None, **wanted: Any) -> Fit:
    return fit(question(model, accelerator, ShapeRequest(PINNED, **wanted), machine))


def shaped(model: Model, accelerator: str, machine: str | None = None, **wanted: Any) -> ShapePlan:
    return choose_shape(question(model, accelerator, ShapeRequest(PINNED, **wanted), machine))


HYBRIDS = [name for name in MODELS if any(isinstance(group, LinearAttention) for group in MODELS[name].attention)]


@pytest.mark.parametrize("accelerator", ["h100", "h200", "a100-80gb", "rtx-pro-6000", "b200"])
@pytest.mark.parametrize("name", HYBRIDS)
def test_every_hybrid_has_a_block_for_the_states_of_each_sequence(name: str, accelerator: str) -> None:
    """vllm/config/compilation.py (pull request 38270): the engine ends at its start otherwise."""
    try:
        plan = shaped(MODELS[name], accelerator, min_context=8192)
    except ShapeRefused:
        return
    assert plan.memory.state_blocks is not None
    assert plan.settings.max_num_seqs <= plan.memory.state_blocks


def test_more_sequences_than_blocks_do_not_start_and_the_plan_says_how_many_do() -> None:
    model = MODELS["Qwen/Qwen3.6-27B"]
    answer = asked(model, "h100", "a3-highgpu-1g", max_num_seqs=1024, max_model_len=32768)
    assert not answer.fits
    most = re.search(r"write at most (\d+)", " ".join(answer.reasons))
    assert most is not None
    assert asked(model, "h100", "a3-highgpu-1g", max_num_seqs=int(most[1]), max_model_len=32768).fits
    with pytest.raises(ShapeRefused, match="needs one for its states"):
        shaped(model, "h100", "a3-highgpu-1g", max_num_seqs=1024, max_model_len=32768)


def test_the_cap_on_sequences_is_written_to_the_command_line() -> None:
    plan = planned({"name": "qwen", "model": "Qwen/Qwen3.6-27B", "tensorParallel": 1, "gpuMemoryUtilization": 0.6})
    assert plan.shape.settings.fewer_sequences
    written = plan.arguments[plan.arguments.index("--max-num-seqs") + 1]
    assert int(written) == plan.shape.settings.max_num_seqs <= (plan.shape.memory.state_blocks or 0)


@pytest.mark.parametrize(
    ("name", "heads"), [("Qwen/Qwen3.6-27B", 48), ("Qwen/Qwen3.8-27B", 48), ("Qwen/Qwen3.5-122B-A10B", 64)]
)
def test_value_heads_are_the_published_ones(name: str, heads: int) -> None:
    (linear,) = [group for group in MODELS[name].attention if isinstance(group, LinearAttention)]
    assert linear.value_heads == heads


def test_the_cache_of_qwen_is_cut_as_vllm_printed_it() -> None:
    """mitchross/talos-argocd-proxmox issue 1995: TP 2, an fp8 cache, 131072 tokens: blocks of 1568, 302,921 tokens."""
    model = MODELS["Qwen/Qwen3.6-27B"]
    layout = kv_layout(model, CacheSettings(16, STATES, KvCacheDtype.FP8), 2, 1, stages_of(model, 1)[0])
    assert {group.tokens_per_block for group in layout.groups} == {1568}
    blocks = int(4.99 * GIB // layout.block_bytes)
    assert blocks / layout.blocks(131072, 8192) == pytest.approx(2.31, abs=0.01)
    assert blocks / layout.blocks(131072, 8192) * 131072 == pytest.approx(302921, rel=1e-3)


def test_weights_of_qwen_are_those_that_vllm_measured() -> None:
    model = MODELS["Qwen/Qwen3.6-27B"]
    assert weight_bytes(model, Sharding(), stages_of(model, 1)[0]) / GIB == pytest.approx(51.1, abs=0.2)


def test_drafted_tokens_take_state_blocks_and_a_layer_of_the_cache() -> None:
    """noonghunna/club-3090 issue 142: TP 2, fp8, three tokens, 262144: blocks of 1600, 179 a request, 426 of them."""
    model = MODELS["Qwen/Qwen3.6-27B"]
    cache = CacheSettings(16, STATES, KvCacheDtype.FP8, draft_tokens=3, draft_layers=1)
    layout = kv_layout(model, cache, 2, 1, stages_of(model, 1)[0])
    assert {group.tokens_per_block for group in layout.groups} == {1600}
    assert layout.blocks(262144, 8192) == 164 + 3 * (2 + 3)
    assert int(11.07 * GIB // layout.block_bytes) == 426


@pytest.mark.parametrize("name", ["deepseek-ai/DeepSeek-R1-0528", "Qwen/Qwen3.6-27B", "zai-org/GLM-5.2-FP8"])
def test_a_checkpoint_that_drafts_for_itself_takes_more_weights_and_leaves_fewer_tokens(name: str) -> None:
    model = MODELS[name]
    wanted = {"tensor_parallel": 8, "max_model_len": 131072}
    plain = shaped(model, "h200", **wanted)
    drafting = shaped(model, "h200", **wanted, own_draft=True, draft_tokens=1)
    assert drafting.memory.weights_gib > plain.memory.weights_gib
    assert drafting.memory.kv_cache_tokens < plain.memory.kv_cache_tokens


def test_a_draft_model_keeps_a_cache_of_its_own() -> None:
    target, draft = "meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"
    plain, drafted = (
        planned({"name": "llama", "model": target, "tensorParallel": 8, **extra}).shape.memory
        for extra in ({}, {"engine": {"speculative": {"method": "draft_model", "model": draft, "tokens": 4}}})
    )
    held = drafted.kv_cache_gib / drafted.kv_cache_tokens
    assert held / (plain.kv_cache_gib / plain.kv_cache_tokens) == pytest.approx((80 + 32) / 80, rel=0.01)
    assert drafted.weights_gib > plain.weights_gib


def test_the_draft_layer_of_r1_takes_what_its_parameters_do() -> None:
    model = MODELS["deepseek-ai/DeepSeek-R1-0528"]
    stage = stages_of(model, 1)[0]
    added = weight_bytes(model, Sharding(8), stage, draft=True) - weight_bytes(model, Sharding(8), stage)
    # 11.5 G weights in fp8 over eight ranks, and what joins the layer to the last one, in 16 bits on each rank.
    assert added / GIB == pytest.approx(1.36 + 0.19, abs=0.05)


def test_a_model_without_layers_to_draft_with_is_refused() -> None:
    with pytest.raises(ShapeRefused, match="mtp"):
        shaped(MODELS["Qwen/Qwen3-32B"], "h200", own_draft=True, draft_tokens=1)


def test_modules_that_are_not_converted_stay_in_16_bits() -> None:
    """vllm-project/vllm issue 6746: Llama 3.1 405B in fbgemm_fp8 took 57.75 GiB on each of eight GPUs, in 0.5.3."""
    kept = ["model.layers.0", "model.layers.125", *(f"model.layers.{layer}.self_attn" for layer in range(1, 125))]
    method = {"quant_method": "fbgemm_fp8", "modules_to_not_convert": kept}
    model = read(llama(126, 16384, 53248, 128), quantization_config=method)
    assert weight_bytes(model, Sharding(8), stages_of(model, 1)[0]) / GIB == pytest.approx(57, abs=0.3)


def test_attention_that_modelopt_left_alone_stays_in_16_bits_in_either_file() -> None:
    names = [f"model.layers.{layer}.self_attn*" for layer in range(61)]
    inside = {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", *names]}
    beside = {
        "producer": {"name": "modelopt"},
        "quantization": {
            "quant_algo": "NVFP4",
            "group_size": 16,
            "kv_cache_quant_algo": None,
            "exclude_modules": ["lm_head", *names],
        },
    }
    all_of_it = read(deepseek(), quantization_config=inside | {"ignore": ["lm_head"]})
    model = read(deepseek(), quantization_config=inside)
    stage = stages_of(model, 1)[0]
    more = weight_bytes(model, Sharding(8), stage) - weight_bytes(all_of_it, Sharding(8), stage)
    assert 1.5 < more / GIB < 3
    assert model_from_config(deepseek(), "a/model", beside).quantization == model.quantization


@pytest.mark.parametrize(
    ("method", "reads_expressions"),
    [
        ({"quant_method": "fp8", "activation_scheme": "dynamic", "ignored_layers": ["re:.*self_attn.*"]}, False),
        ({**AWQ, "modules_to_not_convert": ["re:.*self_attn.*"]}, False),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["re:.*self_attn.*"]}, False),
        (
            {"quant_method": "compressed-tensors", "ignore": ["re:.*self_attn.*"], "config_groups": {"group_0": {}}},
            True,
        ),
        ({**GPTQ, "dynamic": {"-:.*self_attn.*": {}}}, True),
        ({**GPTQ, "dynamic": {"-:self_attn": {}}}, False),
    ],
)
def test_a_list_of_expressions_leaves_out_what_the_format_finds_by_it(
    method: dict[str, Any], reads_expressions: bool
) -> None:
    """vLLM 0.33.0's own code: of the others each takes an entry for a name or a part of one (is_layer_skipped)."""
    model = read(llama(32, 4096, 14336, 32), quantization_config=method)
    assert (model.format_of(LinearPart.ATTENTION, 0) is None) == reads_expressions


def test_groups_of_weights_that_a_shard_would_cut_are_refused() -> None:
    """vllm-project/vllm issues 21695 and 13640: 29568 / 2 is no multiple of 128."""
    model = read(internvl())
    answer = asked(model, "a100-80gb", "a2-ultragpu-2g", tensor_parallel=2, max_model_len=32768)
    assert not answer.fits
    assert "128" in answer.reasons[0]
    plan = shaped(model, "a100-80gb", "a2-ultragpu-2g", max_model_len=32768, objective=Objective.LATENCY)
    assert plan.tensor_parallel == 1


@pytest.mark.parametrize("model", [MODELS["XiaomiMiMo/MiMo-7B-Base"], read(internvl())], ids=lambda model: model.id)
def test_a_config_that_only_code_of_the_checkpoint_reads_is_said(model: Model) -> None:
    """Both model cards ask for --trust-remote-code; by vLLM 0.33.0's own code neither model_type is known without."""
    assert any("--trust-remote-code" in warning for warning in asked(model, "h200", "a3-ultragpu-8g").warnings)
    assert not any("--trust-remote-code" in said for said in asked(MODELS["Qwen/Qwen3-8B"], "h200").warnings)


@pytest.mark.parametrize("method", [GPTQ, PACKED], ids=["gptq", "compressed-tensors"])
def test_every_integer_format_keeps_its_groups_whole(method: dict[str, Any]) -> None:
    model = read(llama(80, 8192, 29568, 64), quantization_config=method)
    assert not asked(model, "a100-80gb", tensor_parallel=2, max_model_len=32768).fits


def test_a_router_that_is_not_converted_leaves_the_experts_in_int4() -> None:
    """By vLLM 0.33.0's own code: Qwen3-30B-A3B in AWQ takes 15.67 GiB, 7.85 at TP 2."""
    model = read(qwen3_moe(), quantization_config={**AWQ, "modules_to_not_convert": ["gate"]})
    stage = stages_of(model, 1)[0]
    assert weight_bytes(model, Sharding(), stage) / GIB == pytest.approx(15.67, rel=0.01)
    assert weight_bytes(model, Sharding(2), stage) / GIB == pytest.approx(7.85 + 1 / 32, rel=0.01)


def test_experts_in_mxfp4_come_with_a_word_on_what_other_kernels_pad() -> None:
    """vllm-project/vllm issues 33155 and 23278: 64.4 and 66.0 GiB on one H100 in 0.14.1 and 0.10.1."""
    answer = asked(MODELS["openai/gpt-oss-120b"], "h100", gpu_memory_utilization=0.9)
    assert any("MXFP4" in warning for warning in answer.warnings)
    assert not answer.fits


def test_the_encoder_of_qwen2_vl_has_its_own_width_and_the_model_fits_an_l4() -> None:
    answer = asked(read(qwen2_vl()), "l4", max_model_len=8192)
    assert answer.weights_gib == pytest.approx(15.5, abs=0.15)
    assert answer.fits


def test_the_largest_image_decides_what_an_encoder_takes() -> None:
    """vllm-project/vllm issue 16570: 34.43 GiB of weights, 2.51 of activations, and it did not start."""
    answer = asked(
        read(qwen2_5_vl()),
        "a100-40gb",
        "a2-highgpu-4g",
        tensor_parallel=4,
        gpu_memory_utilization=0.95,
        max_model_len=8192,
    )
    assert answer.weights_gib == pytest.approx(34.43, abs=0.1)
    assert answer.activation_gib == pytest.approx(2.51, abs=0.3)
    assert not answer.fits


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"architectures": ["Qwen4ExpForConditionalGeneration"], "ngram_size": 3}, "Qwen4Exp"),
        ({"architectures": ["Phi4MMForCausalLM"], "model_type": "phi4mm"}, "Phi4MM"),
        ({"architectures": ["KimiLinearForCausalLM"], "model_type": "kimi_linear"}, "KimiLinear"),
        ({"architectures": ["MiniMaxM1ForCausalLM"], "model_type": "minimax_m1"}, "MiniMaxM1"),
        ({"linear_attn_config": {"kda_layers": [1]}}, "linear_attn_config"),
        ({"attn_type_list": [0, 1]}, "attn_type_list"),
        ({"ngram_size": 3}, "ngram_size"),
        ({"speech_lora": {"r": 320}}, "speech_lora"),
        ({"audio_config": {"depth": 1}}, "audio_config"),
        ({"num_kv_shared_layers": 10}, "num_kv_shared_layers"),
        ({"mamba_d_state": 128}, "mamba_d_state"),
        ({"vision_config": {"hidden_size": 8}}, "vision_config"),
    ],
)
def test_what_is_not_modelled_is_refused_by_its_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UnreadableConfigError, match=named):
        read(llama(32, 4096, 14336, 32), **changes)


@pytest.mark.parametrize(
    "method",
    [
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}},
            "kv_cache_scheme": {"num_bits": 8, "type": "float", "dynamic": False},
        },
        {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "ignore": ["lm_head"]},
    ],
)
def test_the_checkpoint_decides_the_format_of_the_cache(method: dict[str, Any]) -> None:
    """vllm-project/vllm issues 57126 and 29980."""
    model = read(llama(32, 4096, 14336, 32), quantization_config=method)
    wanted = {"machine": "a3-highgpu-1g", "max_model_len": 8192}
    asks, wide = (
        asked(model, "h100", **wanted, kv_cache_dtype=dtype) for dtype in (KvCacheDtype.AUTO, KvCacheDtype.BFLOAT16)
    )
    assert asks.kv_cache_tokens == pytest.approx(1_000_000, rel=0.005)
    assert wide.kv_cache_tokens is not None and asks.kv_cache_tokens is not None
    assert asks.kv_cache_tokens == pytest.approx(2 * wide.kv_cache_tokens, rel=1e-3)


def test_batches_too_small_for_the_sequences_are_refused_as_vllm_does() -> None:
    model = MODELS["meta-llama/Llama-3.1-8B-Instruct"]
    assert not asked(model, "h200", max_num_seqs=1024, max_num_batched_tokens=512).fits
    with pytest.raises(ShapeRefused, match="max_num_batched_tokens"):
        shaped(model, "h200", max_num_seqs=1024, max_num_batched_tokens=512)


@pytest.mark.parametrize(
    ("changes", "context"),
    [
        ({}, 131072),
        ({"model_max_length": 32768}, 32768),
        ({"seq_length": 8192}, 8192),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}, 131072),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, 262144),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, 262144),
        ({"rope_scaling": {"rope_type": "linear", "factor": None}}, 131072),
        ({"rope_scaling": None, "rope_parameters": {"rope_type": "linear", "factor": 2.0}}, 262144),
        ({"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "rope_parameters": {"rope_type": "default"}}, 524288),
        ({"model_max_length": 4096, "rope_scaling": {"rope_type": "linear", "factor": 4.0}}, 16384),
        ({"model_max_length": 262144}, 262144),
        ({"max_sequence_length": 512, "n_positions": 1024}, 512),
    ],
)
def test_the_context_is_the_one_that_vllm_derives(changes: dict[str, Any], context: int) -> None:
    """vllm/config/model.py, _get_and_verify_max_len, and model_arch_config_convertor.py of 0.33.0."""
    assert read(llama(32, 4096, 14336, 32), **changes).context == context


def test_an_old_name_of_longrope_is_refused_as_vllm_refuses_it() -> None:
    rope = {"type": "su", "short_factor": [1.0], "long_factor": [2.0]}
    with pytest.raises(UnreadableConfigError, match="no su without"):
        read(llama(32, 4096, 14336, 32), rope_scaling=rope, original_max_position_embeddings=4096)


@pytest.mark.parametrize("inside", [True, False])
def test_the_context_before_longrope_is_read_wherever_it_stands(inside: bool) -> None:
    """By vLLM 0.33.0's own code, which serves 4,096 of 131,072 tokens in either case."""
    original: dict[str, Any] = {"original_max_position_embeddings": 4096}
    rope: dict[str, Any] = {
        "type": "longrope",
        "short_factor": [1.0],
        "long_factor": [2.0],
        **(original if inside else {}),
    }
    model = read(llama(32, 4096, 14336, 32), rope_scaling=rope, **({} if inside else original))
    assert model.context == 131072


def test_a_context_by_longrope_is_written_since_vllm_takes_the_short_one() -> None:
    model = MODELS["microsoft/Phi-4-mini-instruct"]
    assert model.context == 131072
    arguments = planned({"name": "phi", "model": model.id, "maxModelLen": 131072}).arguments
    assert arguments[arguments.index("--max-model-len") + 1] == "131072"


def test_nothing_of_a_public_report_is_called_measured() -> None:
    assert asked(MODELS["Qwen/Qwen3.6-27B"], "h200").basis is not Basis.MEASURED
    assert checkpoint_gib(MODELS["Qwen/Qwen3.6-27B"]) > 50


def test_states_without_a_format_of_their_own_are_as_wide_as_the_class_says() -> None:
    """By vLLM 0.33.0's own code: NemotronH in float32, Qwen3-Next in the model's 16 bits."""
    widths = {
        name: [g.state_bytes_per_element for g in MODELS[name].attention if isinstance(g, StateSpace | LinearAttention)]
        for name in ("nvidia/Nemotron-H-56B-Base-8K", "Qwen/Qwen3-Next-80B-A3B-Instruct")
    }
    assert widths == {"nvidia/Nemotron-H-56B-Base-8K": [4], "Qwen/Qwen3-Next-80B-A3B-Instruct": [2]}
