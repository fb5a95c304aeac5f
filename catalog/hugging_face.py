"""Reads a Hugging Face `config.json` into a `Model`, with the defaults of the classes for what a file leaves out."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from catalog.model import (
    AttentionGroup,
    Experts,
    FullAttention,
    LinearAttention,
    MlaAttention,
    Model,
    QuantisedPart,
    Quantization,
    SlidingAttention,
    Vision,
    WeightFormat,
)

Config = Mapping[str, Any]


class UnreadableConfigError(ValueError):
    """A config.json does not say enough, or describes something that is not modelled; one line says what."""


# What the transformers classes assume when the file is silent (transformers 5.24.0).
_GEMMA3 = {
    "vocab_size": 262208,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
}
_GPT_OSS = {
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "head_dim": 64,
    "vocab_size": 201088,
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma": {"head_dim": 256, "tie_word_embeddings": True},
    "gemma2": {"head_dim": 256, "tie_word_embeddings": True, "sliding_window": 4096},
    "gemma3": _GEMMA3,
    "gemma3_text": _GEMMA3,
    "gemma4_text": {**_GEMMA3, "vocab_size": 262144, "sliding_window": 512},
    "gpt_oss": {**_GPT_OSS, "max_position_embeddings": 131072},
    "qwen3_moe": {"head_dim": 128},
    "cohere2": {"tie_word_embeddings": True},
}
_ALIASES = {
    "num_hidden_layers": ("n_layer", "num_layers", "n_layers"),
    "hidden_size": ("n_embd", "d_model"),
    "num_attention_heads": ("n_head", "n_heads"),
    "num_key_value_heads": ("num_kv_heads", "n_head_kv"),
    "intermediate_size": ("n_inner", "ffn_hidden_size", "ffn_dim"),
    "max_position_embeddings": ("n_positions", "seq_length", "max_seq_len", "max_sequence_length"),
}
_QUERY_KEY_NORM = {
    "qwen3",
    "qwen3_moe",
    "qwen3_next",
    "qwen3_5_text",
    "qwen3_5_moe_text",
    "gemma3",
    "gemma3_text",
    "gemma4_text",
}
_QUERY_BIAS = {"qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl"}
_FOUR_NORMS = {"gemma2", "gemma3", "gemma3_text", "gemma4_text", "glm4"}
_UNGATED = {"gpt2", "gpt_neox", "gpt_bigcode", "falcon", "opt", "phi", "starcoder2", "bloom", "gptj", "mpt"}
_OUTPUT_GATE = {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"}
# Here `intermediate_size` is that of one expert.
_EXPERTS_ONLY = {"mixtral", "gpt_oss", "phimoe", "minimax_m2", "olmoe", "granitemoe"}
_SLIDING_EVERY_OTHER = {"gemma2", "gpt_oss"}


class _Reader:
    """One (text) config with its class's defaults; a missing field is an error that names it."""

    def __init__(self, config: Config) -> None:
        self.kind = str(config.get("model_type", ""))
        self._fields = {**_DEFAULTS.get(self.kind, {}), **{k: v for k, v in config.items() if v is not None}}

    def get(self, name: str, default: Any = None) -> Any:
        for key in (name, *_ALIASES.get(name, ())):
            if key in self._fields:
                return self._fields[key]
        return default

    def integer(self, *names: str) -> int:
        for name in names:
            value = self.get(name)
            if value is not None:
                return _integer(name, value)
        raise UnreadableConfigError(f"config.json has no {' or '.join(names)}")


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise UnreadableConfigError(f"config.json: {name} is {value!r}, not a whole number")
    return int(value)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else {}


def model_from_config(config: Config, id: str) -> Model:
    """The model that `config` describes. Raises UnreadableConfigError."""
    text = _mapping(config.get("text_config") or config.get("llm_config") or config.get("language_config"))
    outer = dict(config)
    if text:
        text.setdefault("tie_word_embeddings", config.get("tie_word_embeddings"))
        text.setdefault("quantization_config", config.get("quantization_config"))
        if "model_type" not in text and config.get("model_type") == "gemma3":
            text["model_type"] = "gemma3_text"
    reader = _Reader(text or outer)
    _refuse_unmodelled(reader)
    attention = _attention(reader)
    heads = reader.integer("num_attention_heads")
    latent = any(isinstance(group, MlaAttention) for group in attention)
    fields: dict[str, Any] = {
        "id": id,
        "architecture": _architecture(config, reader),
        "hidden_size": reader.integer("hidden_size"),
        "attention_heads": heads,
        "key_value_heads": None if latent else _key_value_heads(reader, heads),
        "head_dim": _head_dim(reader, heads),
        "attention": attention,
        "intermediate_size": _intermediate_size(reader),
        "gated_mlp": reader.kind not in _UNGATED,
        "experts": _experts(reader),
        "attention_bias": bool(reader.get("attention_bias", reader.kind in _QUERY_BIAS or reader.kind == "gpt_oss")),
        "output_bias": bool(reader.get("attention_bias", reader.kind == "gpt_oss")) and reader.kind not in _QUERY_BIAS,
        "query_key_norm": bool(reader.get("use_qk_norm", reader.kind in _QUERY_KEY_NORM)),
        "output_gate": bool(reader.get("attn_output_gate", reader.kind in _OUTPUT_GATE)),
        "norms_per_layer": 4 if reader.kind in _FOUR_NORMS else 2,
        "tied_embeddings": bool(reader.get("tie_word_embeddings", False)),
        "vocabulary": reader.integer("vocab_size"),
        "context": _context(reader),
        "vision": _vision(_mapping(config.get("vision_config")), reader, config),
        "dtype": _dtype(reader.get("dtype") or reader.get("torch_dtype") or config.get("torch_dtype")),
        "quantization": _quantization(_mapping(reader.get("quantization_config"))),
    }
    try:
        return Model.model_validate(fields, by_name=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config.json"
        raise UnreadableConfigError(f"{where}: {first['msg']}") from error


def _refuse_unmodelled(reader: _Reader) -> None:
    if reader.get("attention_chunk_size"):
        raise UnreadableConfigError(
            f"{reader.kind or 'this model'}: chunked attention is not modelled; describe it by hand"
        )
    if reader.get("num_kv_shared_layers"):
        raise UnreadableConfigError(
            "num_kv_shared_layers: layers that share a KV cache are not modelled; describe it by hand"
        )
    if reader.get("is_encoder_decoder"):
        raise UnreadableConfigError("encoder-decoder models are not modelled")
    for key in ("mamba_d_state", "ssm_state_size", "state_size"):
        if reader.get(key):
            raise UnreadableConfigError(
                f"{key}: Mamba layers are not modelled; describe the model with its checkpointGib"
            )


def _architecture(config: Config, reader: _Reader) -> str:
    for source in (config.get("architectures"), reader.get("architectures")):
        if isinstance(source, list) and source:
            return str(cast(list[Any], source)[0])
    return "".join(part.capitalize() for part in reader.kind.split("_")) + "ForCausalLM"


def _key_value_heads(reader: _Reader, heads: int) -> int:
    if reader.get("multi_query") and reader.get("num_key_value_heads") is None:
        return 1
    value = reader.get("num_key_value_heads")
    return heads if value is None else _integer("num_key_value_heads", value)


def _head_dim(reader: _Reader, heads: int) -> int:
    value = reader.get("head_dim")
    if value is not None:
        return _integer("head_dim", value)
    hidden = reader.integer("hidden_size")
    if hidden % heads:
        raise UnreadableConfigError(
            f"config.json has no head_dim, and {heads} heads do not divide hidden_size {hidden}"
        )
    return hidden // heads


def _intermediate_size(reader: _Reader) -> int | None:
    if reader.kind in _EXPERTS_ONLY:
        return None
    value = reader.get("intermediate_size")
    if value is None and reader.get("moe_intermediate_size") is not None:
        return None
    if value is None and reader.kind in _UNGATED:
        return 4 * reader.integer("hidden_size")
    return reader.integer("intermediate_size")


def _experts(reader: _Reader) -> Experts | None:
    names = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
    count = next((value for name in names if (value := reader.get(name))), None)
    if not count:
        return None
    size = reader.get("moe_intermediate_size") or reader.integer("intermediate_size")
    layers = reader.integer("num_hidden_layers")
    step = int(reader.get("decoder_sparse_step", reader.get("moe_layer_freq", 1)) or 1)
    only_dense = cast(list[Any], reader.get("mlp_only_layers", []) or [])
    dense = int(reader.get("first_k_dense_replace", 0) or 0) + len(only_dense)
    if step > 1:
        dense = layers - layers // step
    shared = reader.get("shared_expert_intermediate_size")
    if shared is None:
        shared = int(reader.get("n_shared_experts", 0) or 0) * int(size)
    return Experts(
        count=_integer("number of experts", count),
        per_token=reader.integer("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk"),
        intermediate_size=_integer("moe_intermediate_size", size),
        shared_intermediate_size=int(shared),
        dense_layers=dense,
        bias=reader.kind == "gpt_oss",
    )


def _layer_types(reader: _Reader, layers: int) -> Counter[str]:
    given = reader.get("layer_types")
    if isinstance(given, list):
        return Counter(str(kind) for kind in cast(list[Any], given)[:layers])
    interval = reader.get("full_attention_interval")
    if interval or reader.get("linear_num_value_heads"):
        full = layers // int(interval or 4)
        return Counter({"linear_attention": layers - full, "full_attention": full})
    if not reader.get("sliding_window") or reader.get("use_sliding_window") is False:
        return Counter({"full_attention": layers})
    pattern = reader.get("sliding_window_pattern")
    if pattern is None and reader.kind in ("gemma3", "gemma3_text", "gemma4_text"):
        pattern = 6
    elif pattern is None and reader.kind == "cohere2":
        pattern = 4
    elif reader.kind in _SLIDING_EVERY_OTHER:
        pattern = 2
    if reader.kind.startswith("qwen"):  # the field is always there; only use_sliding_window turns it on
        return Counter({"full_attention": layers})
    if isinstance(pattern, int) and pattern > 1:
        full = layers // pattern
        return Counter({"sliding_attention": layers - full, "full_attention": full})
    return Counter({"sliding_attention": layers})


def _attention(reader: _Reader) -> tuple[AttentionGroup, ...]:
    layers = reader.integer("num_hidden_layers")
    if reader.get("kv_lora_rank") is not None:
        return (_latent_attention(reader, layers),)
    groups: list[AttentionGroup] = []
    for kind, count in _layer_types(reader, layers).items():
        match kind:
            case "full_attention" | "attention":
                groups.append(
                    FullAttention(
                        layers=count,
                        key_value_heads=reader.get("num_global_key_value_heads"),
                        head_dim=reader.get("global_head_dim"),
                        rope_cache_tokens=_linear_rope_tokens(reader),
                    )
                )
            case "sliding_attention":
                groups.append(
                    SlidingAttention(
                        layers=count,
                        window=reader.integer("sliding_window"),
                        own_rotary_table=reader.kind in _FOUR_NORMS - {"gemma2", "glm4"},
                    )
                )
            case "linear_attention":
                groups.append(_linear_attention(reader, count))
            case _:
                raise UnreadableConfigError(f"layer_types: attention of the kind {kind} is not modelled")
    return tuple(sorted(groups, key=lambda group: group.kind))


def _latent_attention(reader: _Reader, layers: int) -> MlaAttention:
    indexer = int(reader.get("index_n_heads", 0) or 0)
    indexer_dim = int(reader.get("index_head_dim", 0) or 0) if indexer else 0
    return MlaAttention(
        layers=layers,
        kv_lora_rank=reader.integer("kv_lora_rank"),
        qk_rope_head_dim=reader.integer("qk_rope_head_dim"),
        qk_nope_head_dim=reader.integer("qk_nope_head_dim"),
        v_head_dim=reader.integer("v_head_dim"),
        q_lora_rank=reader.get("q_lora_rank"),
        indexer_heads=indexer,
        indexer_head_dim=indexer_dim,
        indexer_bytes_per_token=2 * indexer_dim,
    )


def _linear_attention(reader: _Reader, layers: int) -> LinearAttention:
    return LinearAttention(
        layers=layers,
        key_heads=reader.integer("linear_num_key_heads"),
        value_heads=reader.integer("linear_num_value_heads"),
        key_head_dim=reader.integer("linear_key_head_dim"),
        value_head_dim=reader.integer("linear_value_head_dim"),
        convolution=int(reader.get("linear_conv_kernel_dim", 4)),
    )


def _rope(reader: _Reader) -> dict[str, Any]:
    """The scaling of the full-attention layers' rotary embedding, in either spelling."""
    parameters = _mapping(reader.get("rope_parameters"))
    nested = _mapping(parameters.get("full_attention"))
    rope = nested or parameters or _mapping(reader.get("rope_scaling"))
    return {**rope, "rope_type": str(rope.get("rope_type", rope.get("type", "default")))}


def _linear_rope_tokens(reader: _Reader) -> int | None:
    rope = _rope(reader)
    if rope["rope_type"] != "linear":
        return None
    return math.ceil(reader.integer("max_position_embeddings") * float(rope.get("factor", 1.0)))


def _context(reader: _Reader) -> int:
    """The longest context as vLLM derives it: a scaled rotary embedding multiplies the positions, except Gemma 3's."""
    positions = reader.integer("max_position_embeddings")
    rope = _rope(reader)
    if rope["rope_type"] in ("default", "llama3", "longrope", "su", "mrope") or reader.kind.startswith("gemma3"):
        return positions
    if rope["rope_type"] == "yarn":
        original = rope.get("original_max_position_embeddings")
        return positions if original is None else math.ceil(float(original) * float(rope.get("factor", 1.0)))
    return math.ceil(positions * float(rope.get("factor", 1.0)))


def _vision(config: dict[str, Any], reader: _Reader, outer: Config) -> Vision | None:
    if not config:
        return None
    hidden = int(config.get("hidden_size", config.get("embed_dim", 1152)))
    inner = int(config.get("intermediate_size", 4 * hidden))
    depth = int(config.get("num_hidden_layers", config.get("depth", 27)))
    patch, image = int(config.get("patch_size", 14)), int(config.get("image_size", 896))
    patches = (image // patch) ** 2
    encoder = (
        depth * (4 * hidden * hidden + 2 * hidden * inner + 9 * hidden + inner) + (3 * patch * patch + patches) * hidden
    )
    return Vision(
        parameters=encoder + hidden * reader.integer("hidden_size"),
        hidden_size=hidden,
        intermediate_size=inner,
        patches_per_image=patches,
        tokens_per_image=int(outer.get("mm_tokens_per_image") or max(1, patches // 4)),
    )


def _dtype(name: Any) -> WeightFormat:
    """vLLM's `--dtype auto`: a float32 checkpoint is served in bfloat16."""
    return WeightFormat.FLOAT16 if str(name) in ("float16", "half", "torch.float16") else WeightFormat.BFLOAT16


def _quantization(config: dict[str, Any]) -> Quantization | None:
    if not config:
        return None
    method = str(config.get("quant_method", config.get("quant_algo", ""))).lower()
    block = _first_integer(config.get("weight_block_size"))
    match method:
        case "fp8" | "fbgemm_fp8":
            return Quantization(format=WeightFormat.FP8, block=block)
        case "mxfp4":
            return Quantization(format=WeightFormat.MXFP4, covers=QuantisedPart.EXPERTS)
        case "awq" | "gptq" | "gptq_marlin" | "awq_marlin" | "auto-round":
            bits = int(config.get("bits", config.get("w_bit", 4)))
            return Quantization(format=WeightFormat.INT8 if bits == 8 else WeightFormat.INT4)
        case "bitsandbytes":
            return Quantization(format=WeightFormat.INT4 if config.get("load_in_4bit") else WeightFormat.INT8)
        case "modelopt" | "modelopt_fp4" | "fp8_pb_wo" | "nvfp4":
            fp4 = "fp4" in str(config.get("quant_algo", method)).lower()
            return Quantization(format=WeightFormat.NVFP4 if fp4 else WeightFormat.FP8)
        case "compressed-tensors":
            return _compressed_tensors(config)
        case _:
            raise UnreadableConfigError(f"quantization_config: the method {method or 'unnamed'} is not modelled")


def _compressed_tensors(config: dict[str, Any]) -> Quantization:
    groups = [_mapping(group) for group in _mapping(config.get("config_groups")).values()]
    weights = _mapping(groups[0].get("weights")) if groups else {}
    bits, floating = int(weights.get("num_bits", 8)), str(weights.get("type", "int")) == "float"
    if bits == 8:
        form = WeightFormat.FP8 if floating else WeightFormat.INT8
    else:
        form = WeightFormat.NVFP4 if floating else WeightFormat.INT4
    ignored = " ".join(str(name) for name in cast(list[Any], config.get("ignore") or []))
    covers = QuantisedPart.EXPERTS if "self_attn" in ignored else QuantisedPart.LINEAR
    block = _first_integer(weights.get("block_structure"))
    return Quantization(format=form, covers=covers, block=block)


def _first_integer(value: Any) -> int | None:
    if isinstance(value, list) and value and isinstance(cast(list[Any], value)[0], int):
        return int(cast(list[Any], value)[0])
    return None
