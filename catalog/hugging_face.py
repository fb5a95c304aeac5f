"""Reads a Hugging Face `config.json` into a `Model`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from catalog._config_attention import (
    Attention,
    attention_of,
    context_of,
    layers_of,
    nemotron_pattern,
    rotary_of,
)
from catalog._config_experts import experts_of
from catalog._config_parts import Checkpoint
from catalog._config_quantization import quantization_of
from catalog._config_reader import (
    Config,
    ConfigReader,
    UnreadableConfigError,
    dtype_of,
    mapping,
    text_config,
    whole_number,
)
from catalog._config_recorded import recorded_model
from catalog._config_unmodelled import refuse_unmodelled
from catalog._config_vision import vision_of
from catalog._formats import LinearPart
from catalog._module_names import ModuleNames
from catalog.architectures import DENSE, RECORDED_ONLY
from catalog.model import Experts, LinearAttention, MlaAttention, Model, NoAttention, StateSpace, Vision

__all__ = ["QUANTIZATION_FILE", "UnreadableConfigError", "model_from_config", "read_json_object"]

QUANTIZATION_FILE = "hf_quant_config.json"
"""What ModelOpt writes beside a config.json."""


def read_json_object(file: Path) -> dict[str, Any]:
    """The fields of a config.json, or of a file beside it.

    Raises OSError where the file cannot be read, and ValueError, which names the file, where it holds something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no JSON object")
    return cast(dict[str, Any], content)


_QUERY_KEY_NORM = {
    "qwen3",
    "qwen3_moe",
    "qwen3_next",
    "qwen3_5_text",
    "qwen3_5_moe_text",
    "qwen3_vl_text",
    "qwen3_vl_moe_text",
    "gemma3",
    "gemma3_text",
    "gemma4_text",
}
_QUERY_BIAS = {"qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text", "seed_oss"}
_FOUR_NORMS = {"gemma2", "gemma3", "gemma3_text", "gemma4_text", "glm4"}
_UNGATED = {"nemotron_h"}
_OUTPUT_GATE = {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"}
# Here `intermediate_size` is that of one expert.
_EXPERTS_ONLY = {"mixtral", "gpt_oss", "minimax_m2"}

# qwen3_next_mtp.py, qwen3_5_mtp.py and nemotron_h_mtp.py: "mtp.layers.0" and on.
_DRAFTS_APART = {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "nemotron_h"}
_WHOLE_HEADS = {"llama", "gemma2", "gemma3_text", "deepseek_v2"}
# What another class reads of its own config, and leaves behind in one that is called something else.
_UNREAD_BY_DENSE = {
    "kv_lora_rank",
    "index_n_heads",
    "n_routed_experts",
    "num_local_experts",
    "num_experts",
    "moe_num_experts",
    "moe_intermediate_size",
    "full_attention_interval",
    "linear_num_value_heads",
    "num_nextn_predict_layers",
    "mtp_num_hidden_layers",
    "use_qk_norm",
    "attn_output_gate",
}


def model_from_config(config: Config, id: str, quantization: Mapping[str, Any] | None = None) -> Model:
    """The model that `config` describes. Raises UnreadableConfigError.

    `quantization` is the content of the `hf_quant_config.json` beside it, where there is one.
    """
    try:
        return _model(config, id, quantization)
    except UnreadableConfigError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config.json"
        raise UnreadableConfigError(f"{where}: {first['msg']}") from error
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UnreadableConfigError(f"config.json has a field of an unexpected form: {error}") from error


def _model(config: Config, id: str, quantization: Mapping[str, Any] | None) -> Model:
    outer = dict(config)
    text = text_config(outer)
    reader = ConfigReader(text)
    architecture = _architecture(config, reader)
    if architecture in DENSE:
        reader = ConfigReader({key: value for key, value in text.items() if key not in _UNREAD_BY_DENSE})
    if architecture in RECORDED_ONLY:
        return recorded_model(config, reader, id, architecture)
    refuse_unmodelled(architecture, outer, reader)
    attention = attention_of(reader)
    heads = reader.integer("num_attention_heads")
    if reader.kind in _WHOLE_HEADS and reader.integer("hidden_size") % heads:
        raise UnreadableConfigError(
            f"num_attention_heads: vLLM starts no {reader.kind} whose {heads} heads do not divide "
            "hidden_size (transformers 5.24.0, validate_architecture)"
        )
    latent = any(isinstance(group, MlaAttention) for group in attention.groups)
    experts = experts_of(reader)
    vision = vision_of(reader, config)
    fields: dict[str, Any] = {
        "id": id,
        "architecture": architecture,
        "hidden_size": reader.integer("hidden_size"),
        "attention_heads": heads,
        "key_value_heads": None if latent else _key_value_heads(reader, heads),
        "head_dim": _head_dim(reader, heads, attention),
        "attention": attention.groups,
        "order": attention.order,
        "rotary": rotary_of(reader),
        "intermediate_size": _intermediate_size(reader),
        "gated_mlp": reader.kind not in _UNGATED,
        "experts": experts,
        "attention_bias": bool(reader.get("attention_bias", reader.kind in _QUERY_BIAS or reader.kind == "gpt_oss")),
        "output_bias": _output_bias(reader),
        "query_key_norm": reader.kind in _QUERY_KEY_NORM or bool(reader.get("use_qk_norm", False)),
        "output_gate": bool(reader.get("attn_output_gate", reader.kind in _OUTPUT_GATE)),
        "norms_per_layer": _norms(reader, attention),
        "draft_layers": _draft_layers(reader),
        "tied_embeddings": bool(reader.get("tie_word_embeddings", False)),
        "vocabulary": reader.integer("vocab_size"),
        "context": context_of(reader),
        "vision": vision,
        "dtype": dtype_of(reader, config),
        "quantization": quantization_of(
            *_quantization(outer, text, quantization),
            Checkpoint(
                # The draft layers come after the others; most classes have them named in the same way.
                layers=layers_of(reader) + _draft_layers(reader),
                parts=_parts(attention, experts, vision),
                names=ModuleNames(
                    beside_dense=experts is not None and experts.beside_dense,
                    latent=latent,
                    drafts_from=layers_of(reader) if reader.kind in _DRAFTS_APART else None,
                ),
            ),
        ),
    }
    return Model.model_validate(fields, by_name=True)


def _quantization(
    outer: Config, text: Config, beside: Mapping[str, Any] | None
) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
    """What describes the formats, and the file beside the config, which comes before the part for the language model.

    vllm/transformers_utils/config.py and model_arch_config_convertor.py, get_quantization_config (0.33.0).
    """
    said = mapping(outer.get("quantization_config"))
    if said or beside:
        return said, beside
    for part in (outer.get("compression_config"), text.get("quantization_config"), text.get("compression_config")):
        if found := mapping(part):
            return found, None
    return {}, None


def _parts(attention: Attention, experts: Experts | None, vision: Vision | None) -> frozenset[LinearPart]:
    """The linear layers that such a model has."""
    parts = {LinearPart.OUTPUT_EMBEDDING}
    for group in attention.groups:
        match group:
            case MlaAttention():
                parts |= {LinearPart.ATTENTION, LinearPart.ATTENTION_OUTPUT, LinearPart.LATENT_EXPANSION}
                if group.indexer_heads:
                    parts.add(LinearPart.INDEXER)
            case LinearAttention() | StateSpace():
                parts |= {LinearPart.STATE, LinearPart.STATE_OUTPUT}
            case NoAttention():
                pass
            case _:
                parts |= {LinearPart.ATTENTION, LinearPart.ATTENTION_OUTPUT}
    if experts is None or experts.dense_layers or experts.every > 1 or experts.beside_dense or experts.layers:
        parts |= {LinearPart.DENSE, LinearPart.DENSE_OUTPUT}
    if experts is not None:
        parts.add(LinearPart.EXPERTS)
        if experts.shared_intermediate_size:
            parts.add(LinearPart.SHARED_EXPERTS)
    # vLLM hands its formats to the encoders that tensor parallel cuts, and to no others.
    if vision is not None and vision.cut_sizes:
        parts.add(LinearPart.VISION)
    return frozenset(parts)


def _norms(reader: ConfigReader, attention: Attention) -> int:
    if any(isinstance(group, NoAttention) for group in attention.groups):
        return 1
    if reader.kind == "gemma4_text" and reader.get("enable_moe_block"):
        return 7
    return 4 if reader.kind in _FOUR_NORMS else 2


def _draft_layers(reader: ConfigReader) -> int:
    """Layers for speculative decoding that the checkpoint has."""
    value = reader.get("num_nextn_predict_layers") or reader.get("mtp_num_hidden_layers") or 0
    return whole_number("num_nextn_predict_layers", value)


def _output_bias(reader: ConfigReader) -> bool:
    biased = bool(reader.get("attention_bias", reader.kind == "gpt_oss"))
    # Their query, key and value projections alone have one (vLLM's qwen2.py and mimo.py; Glm4's is named for it).
    return biased and reader.kind not in _QUERY_BIAS | {"mimo", "glm4", "glm4_moe"}


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


def _head_dim(reader: ConfigReader, heads: int, attention: Attention) -> int:
    value = reader.get("head_dim") or reader.get("attention_head_dim")
    if value is not None:
        return whole_number("head_dim", value)
    for group in attention.groups:
        if isinstance(group, MlaAttention):
            return group.qk_nope_head_dim + group.qk_rope_head_dim
    hidden = reader.integer("hidden_size")
    if hidden % heads:
        raise UnreadableConfigError(
            f"config.json has no head_dim, and {heads} heads do not divide hidden_size {hidden}"
        )
    return hidden // heads


def _intermediate_size(reader: ConfigReader) -> int | None:
    if reader.kind in _EXPERTS_ONLY:
        return None
    if reader.kind == "llama4_text":
        return reader.integer("intermediate_size_mlp")
    if reader.kind == "nemotron_h" and "-" not in nemotron_pattern(reader):
        return None
    value = reader.get("intermediate_size")
    if value is None and reader.get("moe_intermediate_size") is not None:
        return None
    return reader.integer("intermediate_size")
