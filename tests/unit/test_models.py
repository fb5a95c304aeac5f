"""Models are what their checkpoints are: in the catalogue, in a stack file, and read from a config.json."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from catalog import PINS
from catalog.hugging_face import UnreadableConfigError, model_from_config
from catalog.model import MODELS, LinearAttention, MlaAttention, Model, SlidingAttention, WeightFormat
from catalog.recorded import record_of
from planning.load_time import checkpoint_gib
from planning.weights import GIB, Sharding, parameters, stages_of, weight_bytes
from tests.unit.configs import deepseek, llama

MEASURED = Path(__file__).parents[2] / "bench" / "measured"

LLAMA = llama(32, 4096, 14336, 32)


@pytest.mark.parametrize("name", MODELS)
def test_every_entry_is_valid_and_named_after_its_model(name: str) -> None:
    model = MODELS[name]
    assert model.id == name
    assert model.sources, f"{name} names no source"
    assert checkpoint_gib(model) > 0 or (model.recorded_only and record_of(model, PINS.vllm) is None)


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].counted and MODELS[name].checkpoint_gib])
def test_weights_counted_tensor_by_tensor_agree_with_the_checkpoint(name: str) -> None:
    model = MODELS[name]
    counted = weight_bytes(model, Sharding(), stages_of(model, 1)[0], draft=True) / GIB
    # Rotary tables and the allocator add 0.6 GiB at most.
    assert -0.02 * checkpoint_gib(model) < counted - checkpoint_gib(model) < 0.02 * checkpoint_gib(model) + 0.6


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 8_030_261_248),
        ("meta-llama/Llama-3.1-405B-Instruct", 405_853_388_800),
        ("Qwen/Qwen3-32B", 32_762_123_264),
        ("Qwen/Qwen3-30B-A3B", 30_532_122_624),
        ("google/gemma-3-1b-it", 999_885_952),
        ("google/gemma-3-27b-it", 27_432_406_640),
        ("deepseek-ai/DeepSeek-R1", 671_026_419_200),
        ("openai/gpt-oss-120b", 116_829_156_672),
    ],
)
def test_parameters_are_the_published_ones(name: str, published: int) -> None:
    counted = parameters(MODELS[name])
    assert counted is not None
    assert counted == pytest.approx(published, rel=2e-4)


def test_a_sharded_model_is_whole_again_when_its_shards_are_put_together() -> None:
    model = MODELS["meta-llama/Llama-3.3-70B-Instruct"]
    whole = weight_bytes(model, Sharding(), stages_of(model, 1)[0])
    for tensor, pipeline in ((2, 1), (8, 1), (8, 2), (4, 3)):
        sharding = Sharding(tensor, pipeline)
        together = tensor * sum(weight_bytes(model, sharding, stage) for stage in stages_of(model, pipeline))
        assert whole <= together < whole * 1.02


def test_key_value_heads_are_replicated_beyond_their_number() -> None:
    model = MODELS["Qwen/Qwen3-235B-A22B-Instruct-2507"]
    stage = stages_of(model, 1)[0]
    four, eight = (weight_bytes(model, Sharding(tensor), stage) * tensor for tensor in (4, 8))
    assert eight > four + model.layers * 4 * 2 * model.head_dim * model.hidden_size * 2


def test_remaining_layers_go_to_the_stages_before_the_last() -> None:
    model = MODELS["deepseek-ai/DeepSeek-R1"]
    assert [stage.total for stage in stages_of(model, 2)] == [31, 30]
    assert [stage.total for stage in stages_of(model, 4)] == [15, 15, 16, 15]
    assert [stage.start for stage in stages_of(model, 4)] == [0, 15, 30, 46]


@pytest.mark.parametrize("pipeline", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("name", ["google/gemma-3-27b-it", "openai/gpt-oss-120b", "Qwen/Qwen3.6-27B"])
def test_stages_share_out_every_layer_of_every_kind(name: str, pipeline: int) -> None:
    model = MODELS[name]
    stages = stages_of(model, pipeline)
    for index, group in enumerate(model.attention):
        assert sum(stage.layers[index] for stage in stages) == group.layers


@pytest.mark.parametrize("file", sorted(MEASURED.glob("*.json")), ids=lambda file: file.stem)
def test_measured_configs_are_read(file: Path) -> None:
    model = model_from_config(json.loads(file.read_text(encoding="utf-8")), file.stem)
    assert model.counted
    assert model.vision is None


def test_the_two_spellings_of_a_config_give_one_model() -> None:
    old = json.loads((MEASURED / "gemma-3-27b-text.json").read_text(encoding="utf-8"))
    new = {key: value for key, value in old.items() if key not in ("rope_scaling", "sliding_window_pattern")}
    new["layer_types"] = ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(62)]
    new["rope_parameters"] = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000},
    }
    assert model_from_config(old, "m") == model_from_config(new, "m")


def test_a_multimodal_gemma_has_its_image_encoder_and_the_text_model_has_not() -> None:
    text = json.loads((MEASURED / "gemma-3-27b-text.json").read_text(encoding="utf-8"))
    whole = model_from_config(
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "mm_tokens_per_image": 256,
            # As on the hub, where the text part leaves out what its class assumes.
            "text_config": {
                "head_dim": 128,
                "hidden_size": 5376,
                "intermediate_size": 21504,
                "model_type": "gemma3_text",
                "num_attention_heads": 32,
                "num_hidden_layers": 62,
                "num_key_value_heads": 16,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                "sliding_window": 1024,
            },
            "vision_config": {
                "hidden_size": 1152,
                "image_size": 896,
                "intermediate_size": 4304,
                "model_type": "siglip_vision_model",
                "num_attention_heads": 16,
                "num_hidden_layers": 27,
                "patch_size": 14,
            },
        },
        "google/gemma-3-27b-it",
    )
    entry = MODELS["google/gemma-3-27b-it"]
    assert whole.vision == entry.vision
    assert whole.attention == entry.attention
    assert parameters(whole) == parameters(entry)
    assert model_from_config(text, "text").vision is None


def test_deepseek_in_fp8_is_read_with_its_latent_attention() -> None:
    blocks = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    model = model_from_config(deepseek() | {"quantization_config": blocks}, "R1")
    entry = MODELS["deepseek-ai/DeepSeek-R1"]
    assert isinstance(model.attention[0], MlaAttention)
    assert (model.attention, model.experts, model.quantization) == (entry.attention, entry.experts, entry.quantization)
    assert model.context == 163840


def test_gpt_oss_keeps_all_but_its_experts_in_bfloat16() -> None:
    config = {"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "hidden_size": 2880}
    config |= {"intermediate_size": 2880, "num_hidden_layers": 36, "num_attention_heads": 64, "num_key_value_heads": 8}
    config |= {"quantization_config": {"quant_method": "mxfp4"}}
    model = model_from_config(config, "gpt-oss-120b")
    entry = MODELS["openai/gpt-oss-120b"]
    assert model.weight_format is WeightFormat.MXFP4
    assert model.attention == entry.attention
    stage = stages_of(model, 1)[0]
    assert weight_bytes(model, Sharding(), stage) == weight_bytes(entry, Sharding(), stage)


def test_a_window_that_is_not_used_is_not_a_sliding_model() -> None:
    qwen = LLAMA | {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False}
    assert not any(isinstance(g, SlidingAttention) for g in model_from_config(qwen, "q").attention)
    assert model_from_config(qwen, "q").attention_bias
    mistral = LLAMA | {"model_type": "mistral", "sliding_window": 4096}
    assert isinstance(model_from_config(mistral, "m").attention[0], SlidingAttention)


def test_linear_layers_are_read_from_the_interval() -> None:
    config = LLAMA | {
        "architectures": ["Qwen3NextForCausalLM"],
        "model_type": "qwen3_next",
        "full_attention_interval": 4,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
    }
    groups = {group.kind: group for group in model_from_config(config, "n").attention}
    assert groups["full"].layers == 8
    linear = groups["linear"]
    assert isinstance(linear, LinearAttention)
    assert linear.layers == 24
    assert linear.state_bytes() > 32 * 128 * 128 * 2


def test_an_architecture_that_is_not_modelled_is_refused_by_its_name() -> None:
    with pytest.raises(UnreadableConfigError, match="NewForCausalLM is not modelled"):
        model_from_config(LLAMA | {"model_type": "newcomer", "architectures": ["NewForCausalLM"]}, "n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"vocab_size": "many"}, "vocab_size"),
        ({"num_key_value_heads": 7}, "keyValueHeads"),
        ({"layer_types": ["mamba"] * 32}, "mamba"),
        ({"attention_chunk_size": 8192}, "chunks"),
        ({"quantization_config": {"quant_method": "quip"}}, "quip"),
        ({"rope_scaling": {"rope_type": "linear", "factor": "eight"}}, "unexpected form"),
        ({"hidden_size": -1}, "hidden_size"),
        ({"num_hidden_layers": 0}, "at least 1 item"),
    ],
)
def test_a_config_that_says_too_little_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UnreadableConfigError, match=message) as refusal:
        model_from_config(LLAMA | change, "n")
    assert "\n" not in str(refusal.value)


def test_a_stack_file_describes_a_model_with_the_same_fields() -> None:
    entry = MODELS["deepseek-ai/DeepSeek-V3"]
    written = entry.model_dump(mode="json", by_alias=True, exclude_none=True)
    held_in_bf16 = Model.model_validate({**written, "quantization": None, "checkpointGib": 1250}, by_name=False)
    assert held_in_bf16.weight_format is WeightFormat.BFLOAT16
    assert Model.model_validate(written, by_name=False) == entry


@pytest.mark.parametrize(
    "change",
    [
        {"keyValueHeads": None},
        {"keyValueHeads": 5},
        {"attention": []},
        {"attention": [{"kind": "full", "layers": 0}]},
        {"intermediateSize": None},
        {"dtype": "fp8"},
        {"intermediate_size": 1},
        {"colour": "blue"},
    ],
)
def test_a_model_that_does_not_hang_together_is_refused(change: dict[str, Any]) -> None:
    entry = MODELS["meta-llama/Llama-3.1-8B-Instruct"].model_dump(mode="json", by_alias=True, exclude_none=True)
    del entry["checkpointGib"]
    with pytest.raises(ValidationError):
        Model.model_validate({**entry, **change}, by_alias=True, by_name=False)
