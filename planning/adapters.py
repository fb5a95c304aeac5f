"""Counts the slots that vLLM sets aside for LoRA adapters, which take GPU memory whether they are used or not."""

from collections.abc import Iterator

from catalog.model import HeadedAttention, LinearAttention, MlaAttention, Model, StateSpace
from planning.layers import key_value_heads
from planning.weights import Sharding, Stage

_BYTES = 2
"""Adapters are held in 16 bits."""

Linear = tuple[float, float, int]
"""Inputs and outputs of a linear layer on one GPU, and how many there are of it."""


def adapter_bytes(model: Model, sharding: Sharding, stage: Stage, slots: int, rank: int) -> float:
    """Bytes on one GPU of that stage: for each slot two thin matrices beside every linear layer."""
    if not slots:
        return 0.0
    elements = sum((inputs + outputs) * count for inputs, outputs, count in _linears(model, sharding, stage))
    return elements * rank * slots * _BYTES


def _linears(model: Model, sharding: Sharding, stage: Stage) -> Iterator[Linear]:
    hidden, tensor = model.hidden_size, sharding.tensor
    for group, layers in zip(model.attention, stage.layers, strict=True):
        match group:
            case _ if isinstance(group, HeadedAttention):
                head = group.head_dim or model.head_dim
                query = model.attention_heads / tensor * head
                keys = key_value_heads(model, group, tensor) * head
                yield (hidden, query, layers)
                yield (hidden, keys, 2 * layers)
                yield (query, hidden, layers)
            case MlaAttention():
                rank = group.q_lora_rank or hidden
                heads = model.attention_heads / tensor
                yield (hidden, group.kv_lora_rank + group.qk_rope_head_dim, layers)
                yield (rank, heads * (group.qk_nope_head_dim + group.qk_rope_head_dim), layers)
                yield (group.kv_lora_rank, heads * (group.qk_nope_head_dim + group.v_head_dim), layers)
                yield (heads * group.v_head_dim, hidden, layers)
            case LinearAttention():
                value = group.value_heads * group.value_head_dim / tensor
                yield (hidden, 2 * value, 2 * layers)
                yield (value, hidden, layers)
            case StateSpace():
                inner = group.inner / tensor
                yield (hidden, 2 * inner, layers)
                yield (inner, hidden, layers)
            case _:
                pass
    routed = sum(1 for layer in range(stage.start, stage.start + stage.total) if model.has_experts(layer))
    dense = stage.total - routed
    if model.intermediate_size is not None:
        inner = model.intermediate_size / tensor
        yield (hidden, inner, (2 if model.gated_mlp else 1) * dense)
        yield (inner, hidden, dense)
    if model.experts is not None:
        inner = model.experts.intermediate_size / (1 if sharding.expert_parallel else tensor)
        count = model.experts.count // sharding.experts * routed
        yield (hidden, inner, 2 * count)
        yield (inner, hidden, count)
