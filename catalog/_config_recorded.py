"""What a plan needs of a model beside what vLLM's own code says of its weights and cache: the shape of its batches."""

from math import ceil
from typing import Any

from catalog._attention import RecordedAttention
from catalog._config_attention import context_of, layers_of
from catalog._config_experts import experts_of
from catalog._config_reader import Config, ConfigReader, UnreadableConfigError, dtype_of, whole_number
from catalog._config_vision import vision_of
from catalog.architectures import RECORDED_ONLY
from catalog.model import Model


def recorded_model(config: Config, reader: ConfigReader, id: str, architecture: str) -> Model:
    """The model, whose attention and formats are read by vLLM alone. Raises UnreadableConfigError."""
    kind = str(config.get("model_type", ""))
    if kind != RECORDED_ONLY[architecture]:
        raise UnreadableConfigError(
            f"model_type: {kind or 'nothing'} is none by which vLLM reads {architecture}; that is "
            f"{RECORDED_ONLY[architecture]}"
        )
    heads = reader.integer("num_attention_heads")
    fields: dict[str, Any] = {
        "id": id,
        "architecture": architecture,
        "hidden_size": reader.integer("hidden_size"),
        "attention_heads": heads,
        "head_dim": _head_dim(reader, heads),
        "attention": (RecordedAttention(layers=layers_of(reader)),),
        "intermediate_size": _intermediate_size(reader),
        "experts": experts_of(reader),
        "residual_streams": _residual_streams(reader),
        "vocabulary": reader.integer("vocab_size"),
        "context": context_of(reader),
        "vision": vision_of(reader, config),
        "dtype": dtype_of(reader, config),
    }
    return Model.model_validate(fields, by_name=True)


def _head_dim(reader: ConfigReader, heads: int) -> int:
    if reader.get("head_dim") is not None:
        return reader.integer("head_dim")
    if reader.get("qk_nope_head_dim") is not None:
        return reader.integer("qk_nope_head_dim") + reader.integer("qk_rope_head_dim")
    return reader.integer("hidden_size") // heads


def _intermediate_size(reader: ConfigReader) -> int | None:
    """The intermediate size of a dense layer; None where no layer is dense."""
    if reader.get("dense_intermediate_size") is not None:
        return reader.integer("dense_intermediate_size")
    return reader.integer("intermediate_size") if reader.get("intermediate_size") is not None else None


def _residual_streams(reader: ConfigReader) -> int:
    """Hyper-connections keep several copies of the hidden states, attention residuals one of each block of layers."""
    block = reader.get("attn_res_block_size")
    if block is not None:
        return 1 + ceil(layers_of(reader) / whole_number("attn_res_block_size", block))
    return whole_number("hc_mult", reader.get("hc_mult") or 1)
