"""The attention of a Hugging Face `config.json`: which layer is of which kind, rotary tables, and the context."""

from dataclasses import dataclass
from typing import Any

from catalog._attention import (
    AttentionGroup,
    ChunkedAttention,
    FullAttention,
    LinearAttention,
    MlaAttention,
    NoAttention,
    SlidingAttention,
    StateSpace,
)
from catalog._config_reader import ConfigReader, UnreadableConfigError, mapping, whole_number

_MOST_LAYERS = 1000
_SLIDING_EVERY_OTHER = {"gemma2", "gpt_oss"}
# vllm/model_executor/models/qwen2.py, Qwen2Model.
_WINDOWS_BEHIND = {"qwen2", "qwen3", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"}
_OWN_ROTARY = {"gemma3", "gemma3_text", "gemma4_text", "mimo_v2_flash"}
# nemotron_h's hybrid_override_pattern: one letter a layer.
_NEMOTRON = {"M": "state_space", "*": "full_attention", "-": "none", "E": "none"}


@dataclass(frozen=True)
class Attention:
    groups: tuple[AttentionGroup, ...]
    order: tuple[int, ...] | None
    """The group of each layer; None where all layers are of one kind."""


def attention_of(reader: ConfigReader) -> Attention:
    """Raises UnreadableConfigError for a kind of attention that is not modelled."""
    layers = layers_of(reader)
    if layers > _MOST_LAYERS:
        raise UnreadableConfigError(f"num_hidden_layers: {layers} layers are more than any model has")
    if reader.get("kv_lora_rank") is not None:
        return Attention((_latent(reader, layers),), None)
    kinds = _kinds(reader, layers)
    if len(kinds) != layers:
        raise UnreadableConfigError(f"config.json describes the attention of {len(kinds)} layers, and has {layers}")
    names = sorted(set(kinds))
    groups = tuple(_group(reader, name, kinds.count(name)) for name in names)
    order = tuple(names.index(kind) for kind in kinds)
    return Attention(groups, _shortest(order) if len(groups) > 1 else None)


def _shortest(order: tuple[int, ...]) -> tuple[int, ...]:
    """The shortest beginning that gives the whole when it is repeated."""
    for length in range(1, len(order)):
        if all(order[index] == order[index % length] for index in range(len(order))):
            return order[:length]
    return order


def _kinds(reader: ConfigReader, layers: int) -> list[str]:
    if reader.kind == "nemotron_h":
        return [_NEMOTRON[letter] for letter in nemotron_pattern(reader)]
    if reader.kind == "llama4_text":
        return _chunked(reader, layers)
    if reader.kind == "mimo_v2_flash":
        return _where(reader.integers("hybrid_layer_pattern"), "sliding_attention")
    # vLLM's gpt_oss.py goes by the number of a layer alone.
    if isinstance(reader.get("layer_types"), list) and reader.kind != "gpt_oss":
        return [str(kind) for kind in reader.list_of("layer_types")[:layers]]
    interval = reader.get("full_attention_interval")
    if interval or reader.get("linear_num_value_heads"):
        return _all_but_every(whole_number("full_attention_interval", interval or 4), "linear_attention", layers)
    return _windows(reader, layers)


def _where(flags: list[int], kind: str) -> list[str]:
    """Layers with a flag are of that kind, the others have attention over the whole context."""
    return [kind if flag else "full_attention" for flag in flags]


def _all_but_every(step: int, kind: str, layers: int) -> list[str]:
    """The last of each `step` layers has attention over the whole context, the others are of that kind."""
    return ["full_attention" if (layer + 1) % step == 0 else kind for layer in range(layers)]


def nemotron_pattern(reader: ConfigReader) -> str:
    """One letter a layer, from either spelling."""
    if isinstance(reader.get("layers_block_type"), list):
        letters = {"mamba": "M", "attention": "*", "moe": "E", "mlp": "-"}
        pattern = "".join(letters.get(str(kind), "?") for kind in reader.list_of("layers_block_type"))
    else:
        pattern = str(reader.get("hybrid_override_pattern", ""))
    if not pattern or set(pattern) - set(_NEMOTRON):
        raise UnreadableConfigError(f"hybrid_override_pattern: {pattern or 'missing'} is not modelled")
    return pattern


def layers_of(reader: ConfigReader) -> int:
    """How many layers there are; Nemotron's pattern has one letter for each."""
    return len(nemotron_pattern(reader)) if reader.kind == "nemotron_h" else reader.integer("num_hidden_layers")


def _chunked(reader: ConfigReader, layers: int) -> list[str]:
    """Llama 4: every fourth layer has no positions and sees the whole context."""
    if flags := reader.integers("no_rope_layers"):
        return _where(flags, "chunked_attention")
    step = whole_number("no_rope_layer_interval", reader.get("no_rope_layer_interval") or 4)
    return _all_but_every(step, "chunked_attention", layers)


def _windows(reader: ConfigReader, layers: int) -> list[str]:
    window = reader.get("sliding_window")
    if not window or (reader.kind.startswith("qwen") and not reader.get("use_sliding_window")):
        # Qwen's field is always there; only use_sliding_window turns it on.
        return ["full_attention"] * layers
    if reader.get("use_sliding_window") is False and reader.kind != "mimo":
        return ["full_attention"] * layers
    if reader.kind in _WINDOWS_BEHIND:
        before = reader.integer_or(28, "max_window_layers")
        if 0 < before < layers:
            raise UnreadableConfigError(f"max_window_layers: vLLM serves no {reader.kind} with windows on some layers")
        return ["sliding_attention" if before == 0 else "full_attention"] * layers
    pattern = reader.get("sliding_window_pattern")
    if pattern is None and reader.kind in ("gemma3", "gemma3_text", "gemma4_text"):
        pattern = 6
    elif pattern is None and reader.kind == "cohere2":
        pattern = 4
    elif reader.kind in _SLIDING_EVERY_OTHER:
        pattern = 2
    if isinstance(pattern, int) and pattern > 1:
        return _all_but_every(pattern, "sliding_attention", layers)
    return ["sliding_attention"] * layers


def _group(reader: ConfigReader, kind: str, count: int) -> AttentionGroup:
    match kind:
        case "full_attention" | "attention":
            own_heads = None
            if reader.kind != "gemma4_text" or reader.get("attention_k_eq_v"):
                own_heads = reader.get("num_global_key_value_heads")
            return FullAttention(
                layers=count,
                key_value_heads=own_heads,
                head_dim=reader.get("global_head_dim"),
                value_head_dim=reader.get("v_head_dim"),
                rope_cache_tokens=_rope_cache_tokens(reader),
            )
        case "sliding_attention":
            return SlidingAttention(
                layers=count,
                window=reader.integer("sliding_window"),
                key_value_heads=reader.get("swa_num_key_value_heads"),
                head_dim=reader.get("swa_head_dim"),
                value_head_dim=reader.get("swa_v_head_dim"),
                own_rotary_table=reader.kind in _OWN_ROTARY,
            )
        case "chunked_attention":
            return ChunkedAttention(layers=count, chunk=reader.integer("attention_chunk_size"))
        case "linear_attention":
            return LinearAttention(
                layers=count,
                key_heads=reader.integer("linear_num_key_heads"),
                value_heads=reader.integer("linear_num_value_heads"),
                key_head_dim=reader.integer("linear_key_head_dim"),
                value_head_dim=reader.integer("linear_value_head_dim"),
                convolution=reader.integer_or(4, "linear_conv_kernel_dim"),
                # vllm/model_executor/models/config.py: Qwen3.5's class alone looks at the config's.
                state_bytes_per_element=_state_bytes(_own_state(reader)),
            )
        case "state_space":
            return StateSpace(
                layers=count,
                heads=reader.integer("mamba_num_heads"),
                head_dim=reader.integer("mamba_head_dim"),
                groups=reader.integer("n_groups"),
                state=reader.integer("ssm_state_size"),
                convolution=reader.integer_or(4, "conv_kernel"),
                state_bytes_per_element=_state_bytes(reader.get("mamba_ssm_cache_dtype", "float32")),
            )
        case "none":
            return NoAttention(layers=count)
        case _:
            raise UnreadableConfigError(f"layer_types: attention of the kind {kind} is not modelled")


def _own_state(reader: ConfigReader) -> Any:
    return reader.get("mamba_ssm_dtype") if reader.kind.startswith("qwen3_5") else None


def _state_bytes(dtype: Any) -> int:
    """vLLM keeps the state in the dtype of the model, unless the config or its class (NemotronH) names another."""
    return 4 if str(dtype) == "float32" else 2


def _latent(reader: ConfigReader, layers: int) -> MlaAttention:
    indexer = reader.integer_or(0, "index_n_heads")
    return MlaAttention(
        layers=layers,
        kv_lora_rank=reader.integer("kv_lora_rank"),
        qk_rope_head_dim=reader.integer("qk_rope_head_dim"),
        qk_nope_head_dim=reader.integer("qk_nope_head_dim"),
        v_head_dim=reader.integer("v_head_dim"),
        q_lora_rank=reader.get("q_lora_rank"),
        indexer_heads=indexer,
        indexer_head_dim=reader.integer_or(0, "index_head_dim") if indexer else 0,
        indexer_tokens=reader.integer_or(0, "index_topk") if indexer else 0,
        indexer_layers=_indexer_layers(reader, layers) if indexer else None,
    )


def _indexer_layers(reader: ConfigReader, layers: int) -> tuple[int, ...] | None:
    """The layers with an indexer; None where every layer has one. In GLM 5.2 and 5.3 several layers share one.

    vLLM goes by a pattern or a frequency, whatever `indexer_types` says (models/deepseek_v2.py, 0.33.0).
    """
    pattern = reader.get("index_topk_pattern")
    if pattern is not None:
        letters = list(pattern) if isinstance(pattern, str) else reader.list_of("index_topk_pattern")
        full = tuple(layer for layer in range(layers) if layer >= len(letters) or letters[layer] != "S")
    else:
        every, offset = reader.integer_or(1, "index_topk_freq"), reader.integer_or(2, "index_skip_topk_offset")
        if every < 1:
            raise UnreadableConfigError(f"index_topk_freq: {every} is no number of layers")
        full = tuple(layer for layer in range(layers) if max(layer - offset + 1, 0) % every == 0)
    return None if len(full) == layers else full


def _ropes(reader: ConfigReader) -> list[dict[str, Any]]:
    """The scalings of the rotary embeddings, in either spelling; those of the full-attention layers first."""
    parameters = mapping(reader.get("rope_parameters"))
    nested = [mapping(value) for value in parameters.values() if isinstance(value, dict)]
    full = mapping(parameters.get("full_attention"))
    found = [full, *(rope for rope in nested if rope != full)] if nested else [parameters]
    if not nested and (scaling := mapping(reader.get("rope_scaling"))):
        found = [scaling]  # the older key comes first (transformers 5.24.0, convert_rope_params_to_dict)
    return [{**rope, "rope_type": str(rope.get("rope_type", rope.get("type", "default")))} for rope in found]


def rotary_of(reader: ConfigReader) -> int | None:
    """Width of a head's rotary part, where that is not the whole head."""
    if reader.kind == "nemotron_h":
        return 0  # its attention has no positions
    rope = _ropes(reader)[0]
    factor = rope.get("partial_rotary_factor", reader.get("partial_rotary_factor"))
    if rope["rope_type"] == "proportional":
        return None
    if reader.get("rotary_dim") is not None:
        return whole_number("rotary_dim", reader.get("rotary_dim"))
    head = reader.get("head_dim")
    if head is None and reader.get("num_attention_heads"):
        head = reader.integer("hidden_size") // reader.integer("num_attention_heads")
    return None if factor is None or float(factor) == 1.0 or head is None else int(float(factor) * int(head))


def _rope_cache_tokens(reader: ConfigReader) -> int | None:
    """Positions of the table where they are not the context's: scaled ones, and four times as many for images."""
    rope = _ropes(reader)[0]
    positions = reader.integer("max_position_embeddings")
    if rope["rope_type"] == "linear":
        return -int(-positions * float(rope.get("factor") or 1.0) // 1)
    if rope.get("mrope_section") and not reader.kind.startswith("qwen3"):
        return 4 * positions  # vllm/model_executor/layers/rotary_embedding/mrope.py; Qwen3-VL asks for one time
    return None


# vllm/transformers_utils/model_arch_config_convertor.py, derive_max_model_len_and_key.
_LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
# vllm/config/model.py, _get_and_verify_max_len: these leave max_position_embeddings as it is.
_SCALED_ALREADY = {"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"}


def context_of(reader: ConfigReader) -> int:
    """The longest context that vLLM 0.33 accepts: the smallest of the keys, unless model_max_length is there."""
    said = reader.get("model_max_length")
    lengths = [whole_number(key, reader.plain(key)) for key in _LENGTHS if reader.plain(key) is not None]
    if said:
        lengths = [whole_number("model_max_length", said)]
    if not lengths:
        raise UnreadableConfigError("config.json has no max_position_embeddings")
    length = min(lengths)
    if reader.kind.startswith("gemma3"):
        return length
    factor = 1.0
    for rope in _ropes(reader):
        if rope["rope_type"] == "su" and "original_max_position_embeddings" not in rope:
            raise UnreadableConfigError("rope_scaling: vLLM 0.33 starts no su without original_max_position_embeddings")
        if rope["rope_type"] not in _SCALED_ALREADY:
            factor = float(rope.get("factor") or factor)
    return int(length * factor)
