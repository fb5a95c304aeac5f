"""The tensors of one layer on one GPU: attention of each kind, dense feed-forward parts and experts."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil

from catalog.model import (
    AttentionGroup,
    ChunkedAttention,
    Experts,
    FullAttention,
    HeadedAttention,
    LinearAttention,
    LinearPart,
    MlaAttention,
    Model,
    NoAttention,
    RecordedAttention,
    SlidingAttention,
    Stateful,
    StateSpace,
    WeightFormat,
)
from planning.padding import padded_experts, refined_block
from planning.stored import Tensor, matrix

Formats = tuple[WeightFormat | None, ...]
"""The format of each `LinearPart`, in their order."""
_PARTS = tuple(LinearPart)


@dataclass(frozen=True)
class Layer:
    """What decides the tensors of a layer: layers with the same answer are alike."""

    group: int
    experts: bool
    feed_forward: bool
    indexer: bool
    formats: Formats

    @classmethod
    def of(cls, model: Model, number: int) -> "Layer":
        group = model.layer_kinds[number]
        apart = any(isinstance(other, NoAttention) for other in model.attention)
        feed_forward = isinstance(model.attention[group], NoAttention) or not apart
        experts = feed_forward and model.has_experts(number)
        return cls(group, experts, feed_forward, _has_indexer(model, number), _formats(model, number))

    @classmethod
    def draft(cls, model: Model) -> "Layer":
        """The layer that a checkpoint has for speculative decoding: attention over the whole context, like the last."""
        group = draft_group(model)
        return cls(
            group, model.experts is not None, feed_forward=True, indexer=True, formats=_formats(model, model.layers)
        )


def draft_group(model: Model) -> int:
    """The number of the group that a draft layer is like."""
    return next(index for index, group in enumerate(model.attention) if not isinstance(group, Stateful | NoAttention))


def _formats(model: Model, number: int) -> Formats:
    quantization = model.quantization
    return tuple(None if quantization is None else quantization.format_of(part, number) for part in _PARTS)


def _has_indexer(model: Model, number: int) -> bool:
    group = model.attention[model.layer_kinds[number]]
    return isinstance(group, MlaAttention) and group.indexers(number, number + 1) > 0


def key_value_heads(model: Model, group: HeadedAttention, tensor: int) -> int:
    """Heads on one GPU: replicated once there are more ranks than heads."""
    heads = group.key_value_heads or model.key_value_heads
    assert heads is not None
    return max(1, heads // tensor)


def layer_tensors(model: Model, layer: Layer, count: int, tensor: int, expert_ranks: int) -> Iterator[Tensor]:
    """The tensors of `count` such layers."""
    group = model.attention[layer.group]
    yield from _attention(model, group, layer, count, tensor)
    wide = model.dtype.bytes_per_element
    yield (model.hidden_size * wide, count * model.norms_per_layer)
    if not layer.feed_forward:
        return
    if layer.experts:
        assert model.experts is not None
        yield from _experts(model, model.experts, layer, count, tensor, expert_ranks)
    if model.intermediate_size is not None and (
        not layer.experts or (model.experts is not None and model.experts.beside_dense)
    ):
        yield from _mlp(model, layer, model.intermediate_size, count, tensor, LinearPart.DENSE, LinearPart.DENSE_OUTPUT)


def _attention(model: Model, group: AttentionGroup, layer: Layer, count: int, tensor: int) -> Iterator[Tensor]:
    match group:
        case FullAttention() | SlidingAttention() | ChunkedAttention():
            yield from _headed(model, group, layer, count, tensor)
        case MlaAttention():
            yield from _latent(model, group, layer, count, tensor)
        case LinearAttention():
            yield from _linear(model, group, layer, count, tensor)
        case StateSpace():
            yield from _state_space(model, group, layer, count, tensor)
        case NoAttention() | RecordedAttention():
            pass


def _stored(model: Model, layer: Layer, part: LinearPart) -> "partial[Iterator[Tensor]]":
    return partial(
        matrix,
        form=layer.formats[_PARTS.index(part)],
        wide=model.dtype.bytes_per_element,
        quantization=model.quantization,
    )


def _headed(model: Model, group: HeadedAttention, layer: Layer, count: int, tensor: int) -> Iterator[Tensor]:
    wide, hidden = model.dtype.bytes_per_element, model.hidden_size
    head = group.head_dim or model.head_dim
    value_head = (None if isinstance(group, ChunkedAttention) else group.value_head_dim) or head
    heads = model.attention_heads / tensor
    keys = key_value_heads(model, group, tensor)
    fused = heads * head * (2 if model.output_gate else 1) + keys * (head + value_head)
    yield from _stored(model, layer, LinearPart.ATTENTION)(fused, hidden, count)
    yield from _stored(model, layer, LinearPart.ATTENTION_OUTPUT)(hidden, heads * value_head, count)
    if model.attention_bias:
        yield (fused * wide, count)
    if model.output_bias:
        yield (hidden * wide, count)
    if model.query_key_norm:
        yield (head * wide, 2 * count)


def _latent(model: Model, group: MlaAttention, layer: Layer, count: int, tensor: int) -> Iterator[Tensor]:
    wide, hidden = model.dtype.bytes_per_element, model.hidden_size
    heads = model.attention_heads / tensor
    query = heads * (group.qk_nope_head_dim + group.qk_rope_head_dim)
    latent = group.kv_lora_rank + group.qk_rope_head_dim
    inwards = _stored(model, layer, LinearPart.ATTENTION)
    if group.q_lora_rank is None:
        yield from inwards(query, hidden, count)
        yield from inwards(latent, hidden, count)
    else:  # the two down-projections are one tensor, whole on every rank
        yield from inwards(group.q_lora_rank + latent, hidden, count)
        yield from inwards(query, group.q_lora_rank, count)
        yield (group.q_lora_rank * wide, count)
    up = heads * (group.qk_nope_head_dim + group.v_head_dim)
    yield from _stored(model, layer, LinearPart.LATENT_EXPANSION)(up, group.kv_lora_rank, count)
    if layer.formats[_PARTS.index(LinearPart.LATENT_EXPANSION)] is not None:
        # The absorbed projections are kept in 16 bits beside the quantised weight.
        yield (up * group.kv_lora_rank * wide, count)
    yield from _stored(model, layer, LinearPart.ATTENTION_OUTPUT)(hidden, heads * group.v_head_dim, count)
    yield (group.kv_lora_rank * wide, count)
    if layer.indexer:
        rank = group.q_lora_rank or hidden
        indexer = _stored(model, layer, LinearPart.INDEXER)
        yield from indexer(group.indexer_heads * group.indexer_head_dim, rank, count)
        # vLLM fuses the two other projections, in 16 bits whatever the checkpoint stores.
        yield ((group.indexer_head_dim + group.indexer_heads) * hidden * wide, count)


def _linear(model: Model, group: LinearAttention, layer: Layer, count: int, tensor: int) -> Iterator[Tensor]:
    wide, hidden = model.dtype.bytes_per_element, model.hidden_size
    value = group.value_heads * group.value_head_dim
    yield from _stored(model, layer, LinearPart.STATE)((group.projected + value) / tensor, hidden, count)
    yield (2 * group.value_heads / tensor * hidden * wide, count)
    yield (group.projected * group.convolution / tensor * wide, count)
    yield from _stored(model, layer, LinearPart.STATE_OUTPUT)(hidden, value / tensor, count)


def _state_space(model: Model, group: StateSpace, layer: Layer, count: int, tensor: int) -> Iterator[Tensor]:
    wide, hidden = model.dtype.bytes_per_element, model.hidden_size
    # Groups are repeated where there are fewer of them than ranks.
    states = 2 * max(group.groups, tensor) * group.state
    inwards = 2 * group.inner + states + group.heads
    yield from _stored(model, layer, LinearPart.STATE)(inwards / tensor, hidden, count)
    yield from _stored(model, layer, LinearPart.STATE_OUTPUT)(hidden, group.inner / tensor, count)
    yield ((group.inner + states) * (group.convolution + 1) / tensor * wide, count)
    yield (group.inner / tensor * wide, count)


def _mlp(
    model: Model, layer: Layer, size: int, count: int, tensor: int, inwards: LinearPart, outwards: LinearPart
) -> Iterator[Tensor]:
    shard, hidden = size / tensor, model.hidden_size
    yield from _stored(model, layer, inwards)(shard * (2 if model.gated_mlp else 1), hidden, count)
    yield from _stored(model, layer, outwards)(hidden, shard, count)


def _experts(
    model: Model, experts: Experts, layer: Layer, count: int, tensor: int, expert_ranks: int
) -> Iterator[Tensor]:
    wide, hidden = model.dtype.bytes_per_element, model.hidden_size
    form = layer.formats[_PARTS.index(LinearPart.EXPERTS)]
    local = ceil(experts.count / expert_ranks)
    cut = tensor if expert_ranks == 1 else 1
    size = padded_experts(model, form, cut)
    rows = size if form is WeightFormat.FP8 else experts.intermediate_size / cut
    width = experts.latent_size or hidden
    gates = 2 if model.gated_mlp else 1
    stored = partial(_stored(model, layer, LinearPart.EXPERTS), block=refined_block(model, form, rows, cut))
    yield from stored(gates * size, width, count, copies=local)
    yield from stored(width, size, count, copies=local)
    if experts.bias:  # the kernel's own copy is in 32 bits
        yield (local * (gates * size + hidden) * (wide if form is None else wide + 4), count)
    yield (experts.count * hidden * (4 if experts.wide_router else wide), count)
    if experts.latent_size:
        yield from _stored(model, layer, LinearPart.SHARED_EXPERTS)(experts.latent_size, hidden, 2 * count)
    if experts.shared_intermediate_size:
        shared = LinearPart.SHARED_EXPERTS
        yield from _mlp(model, layer, experts.shared_intermediate_size, count, tensor, shared, shared)
        if experts.shared_gate:
            yield (hidden * wide, count)
