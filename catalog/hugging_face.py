"""Reads a Hugging Face `config.json` into a `Model`."""

import math
from collections import Counter
from typing import Any, cast

from pydantic import ValidationError

from catalog._config_quantization import quantization_of
from catalog._config_reader import Config, ConfigReader, UnreadableConfigError, mapping, whole_number
from catalog._config_vision import vision_of
from catalog.model import (
    AttentionGroup,
    Experts,
    FullAttention,
    LinearAttention,
    MlaAttention,
    Model,
    SlidingAttention,
    WeightFormat,
)

__all__ = ["UnreadableConfigError", "model_from_config"]

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


def model_from_config(config: Config, id: str) -> Model:
    """The model that `config` describes. Raises UnreadableConfigError."""
    try:
        return _model(config, id)
    except UnreadableConfigError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config.json"
        raise UnreadableConfigError(f"{where}: {first['msg']}") from error
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise UnreadableConfigError(f"config.json has a field of an unexpected form: {error}") from error


def _model(config: Config, id: str) -> Model:
    text = mapping(config.get("text_config") or config.get("llm_config") or config.get("language_config"))
    outer = dict(config)
    if text:
        text.setdefault("tie_word_embeddings", config.get("tie_word_embeddings"))
        text.setdefault("quantization_config", config.get("quantization_config"))
        if "model_type" not in text and config.get("model_type") == "gemma3":
            text["model_type"] = "gemma3_text"
    reader = ConfigReader(text or outer)
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
        "vision": vision_of(mapping(config.get("vision_config")), reader, config),
        "dtype": _dtype(reader.get("dtype") or reader.get("torch_dtype") or config.get("torch_dtype")),
        "quantization": quantization_of(mapping(reader.get("quantization_config"))),
    }
    return Model.model_validate(fields, by_name=True)


def _refuse_unmodelled(reader: ConfigReader) -> None:
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


def _architecture(config: Config, reader: ConfigReader) -> str:
    for source in (config.get("architectures"), reader.get("architectures")):
        if isinstance(source, list) and source:
            return str(cast(list[Any], source)[0])
    return "".join(part.capitalize() for part in reader.kind.split("_")) + "ForCausalLM"


def _key_value_heads(reader: ConfigReader, heads: int) -> int:
    if reader.get("multi_query") and reader.get("num_key_value_heads") is None:
        return 1
    value = reader.get("num_key_value_heads")
    return heads if value is None else whole_number("num_key_value_heads", value)


def _head_dim(reader: ConfigReader, heads: int) -> int:
    value = reader.get("head_dim")
    if value is not None:
        return whole_number("head_dim", value)
    hidden = reader.integer("hidden_size")
    if hidden % heads:
        raise UnreadableConfigError(
            f"config.json has no head_dim, and {heads} heads do not divide hidden_size {hidden}"
        )
    return hidden // heads


def _intermediate_size(reader: ConfigReader) -> int | None:
    if reader.kind in _EXPERTS_ONLY:
        return None
    value = reader.get("intermediate_size")
    if value is None and reader.get("moe_intermediate_size") is not None:
        return None
    if value is None and reader.kind in _UNGATED:
        return 4 * reader.integer("hidden_size")
    return reader.integer("intermediate_size")


def _experts(reader: ConfigReader) -> Experts | None:
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
        count=whole_number("number of experts", count),
        per_token=reader.integer("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk"),
        intermediate_size=whole_number("moe_intermediate_size", size),
        shared_intermediate_size=int(shared),
        dense_layers=dense,
        bias=reader.kind == "gpt_oss",
    )


def _layer_types(reader: ConfigReader, layers: int) -> Counter[str]:
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


def _attention(reader: ConfigReader) -> tuple[AttentionGroup, ...]:
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


def _latent_attention(reader: ConfigReader, layers: int) -> MlaAttention:
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


def _linear_attention(reader: ConfigReader, layers: int) -> LinearAttention:
    return LinearAttention(
        layers=layers,
        key_heads=reader.integer("linear_num_key_heads"),
        value_heads=reader.integer("linear_num_value_heads"),
        key_head_dim=reader.integer("linear_key_head_dim"),
        value_head_dim=reader.integer("linear_value_head_dim"),
        convolution=int(reader.get("linear_conv_kernel_dim", 4)),
    )


def _rope(reader: ConfigReader) -> dict[str, Any]:
    """The scaling of the full-attention layers' rotary embedding, in either spelling."""
    parameters = mapping(reader.get("rope_parameters"))
    nested = mapping(parameters.get("full_attention"))
    rope = nested or parameters or mapping(reader.get("rope_scaling"))
    return {**rope, "rope_type": str(rope.get("rope_type", rope.get("type", "default")))}


def _linear_rope_tokens(reader: ConfigReader) -> int | None:
    rope = _rope(reader)
    if rope["rope_type"] != "linear":
        return None
    return math.ceil(reader.integer("max_position_embeddings") * float(rope.get("factor", 1.0)))


def _context(reader: ConfigReader) -> int:
    """The longest context as vLLM derives it: a scaled rotary embedding multiplies the positions, except Gemma 3's."""
    positions = reader.integer("max_position_embeddings")
    rope = _rope(reader)
    if rope["rope_type"] in ("default", "llama3", "longrope", "su", "mrope") or reader.kind.startswith("gemma3"):
        return positions
    if rope["rope_type"] == "yarn":
        original = rope.get("original_max_position_embeddings")
        return positions if original is None else math.ceil(float(original) * float(rope.get("factor", 1.0)))
    return math.ceil(positions * float(rope.get("factor", 1.0)))


def _dtype(name: Any) -> WeightFormat:
    """vLLM's `--dtype auto`: a float32 checkpoint is served in bfloat16."""
    return WeightFormat.FLOAT16 if str(name) in ("float16", "half", "torch.float16") else WeightFormat.BFLOAT16
