"""The tensors of one layer on one GPU: attention of each kind, dense feed-forward parts and experts."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from catalog.engine import Kernel, Kernels
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
from planning.padding import padded_experts, padded_hidden
from planning.stored import Plain, Quantised, Tensor, stored

Formats = tuple[WeightFormat | None, ...]
"""The format of each `LinearPart`, in their order."""
_PARTS = tuple(LinearPart)


@dataclass(frozen=True)
class Layer:
    """What decides the tensors of a layer: layers with the same answer are alike."""

    group: int
    experts: Experts | None
    feed_forward: bool
    indexer: bool
    formats: Formats

    @classmethod
    def of(cls, model: Model, number: int) -> "Layer":
        group = model.layer_kinds[number]
        experts = model.experts if model.has_experts(number) else None
        return cls(group, experts, model.feeds_forward(number), _has_indexer(model, number), _formats(model, number))

    @classmethod
    def draft(cls, model: Model) -> "Layer":
        """The layer that a checkpoint has for speculative decoding: attention over the whole context, like the last."""
        formats = _formats(model, model.layers)
        return cls(draft_group(model), model.experts, feed_forward=True, indexer=True, formats=formats)


def draft_group(model: Model) -> int:
    """The number of the group that a draft layer is like."""
    return next(index for index, group in enumerate(model.attention) if not isinstance(group, Stateful | NoAttention))


def _formats(model: Model, number: int) -> Formats:
    return tuple(model.format_of(part, number) for part in _PARTS)


def _has_indexer(model: Model, number: int) -> bool:
    group = model.attention[model.layer_kinds[number]]
    return isinstance(group, MlaAttention) and group.indexers(number, number + 1) > 0


def key_value_heads(model: Model, group: HeadedAttention, tensor: int) -> int:
    """Heads on one GPU: replicated once there are more ranks than heads."""
    return max(1, model.key_value_heads_of(group) // tensor)


@dataclass(frozen=True)
class _Alike:
    """Layers that are alike, and their number, on one of the GPUs that share them."""

    model: Model
    layer: Layer
    count: int
    tensor: int
    kernels: Kernels

    @property
    def hidden(self) -> int:
        return self.model.hidden_size

    @property
    def wide(self) -> float:
        """Bytes of a number that is not quantised."""
        return self.model.dtype.bytes_per_element

    @property
    def heads(self) -> float:
        """The heads of queries on one GPU."""
        return self.model.attention_heads / self.tensor

    def stored(self, part: LinearPart) -> Plain | Quantised:
        form = self.layer.formats[_PARTS.index(part)]
        experts = part is LinearPart.EXPERTS
        return stored(self.model, form, marlin=_is_marlins(form, self.kernels, experts=experts))

    def matrices(self, part: LinearPart, outputs: float, inputs: float) -> Iterator[Tensor]:
        """One matrix of each layer."""
        return self.stored(part).matrices(outputs, inputs, self.count)


def _is_marlins(form: WeightFormat | None, kernels: Kernels, *, experts: bool) -> bool:
    match form:
        case WeightFormat.MXFP4:
            return experts and kernels.mxfp4_experts is Kernel.MARLIN
        case WeightFormat.INT4 | WeightFormat.INT8:
            return kernels.integers is Kernel.MARLIN
        case WeightFormat.FP8:
            return kernels.fp8_experts is Kernel.MARLIN if experts else kernels.marlin_fp8
        case _:
            return False


def layer_tensors(
    model: Model, layer: Layer, count: int, tensor: int, expert_ranks: int, kernels: Kernels
) -> Iterator[Tensor]:
    """The tensors of `count` such layers."""
    alike = _Alike(model, layer, count, tensor, kernels)
    yield from _attention(alike, model.attention[layer.group])
    yield (alike.hidden * alike.wide, count * model.norms_per_layer)
    if not layer.feed_forward:
        return
    if layer.experts is not None:
        yield from _experts(alike, layer.experts, expert_ranks)
    if model.intermediate_size is not None and (layer.experts is None or layer.experts.beside_dense):
        yield from _mlp(alike, model.intermediate_size, LinearPart.DENSE, LinearPart.DENSE_OUTPUT)


def _attention(alike: _Alike, group: AttentionGroup) -> Iterator[Tensor]:
    match group:
        case FullAttention() | SlidingAttention() | ChunkedAttention():
            yield from _headed(alike, group)
        case MlaAttention():
            yield from _latent(alike, group)
        case LinearAttention():
            yield from _linear(alike, group)
        case StateSpace():
            yield from _state_space(alike, group)
        case NoAttention() | RecordedAttention():
            pass


def _headed(alike: _Alike, group: HeadedAttention) -> Iterator[Tensor]:
    model, wide, hidden, count = alike.model, alike.wide, alike.hidden, alike.count
    head = group.head_dim or model.head_dim
    value_head = (None if isinstance(group, ChunkedAttention) else group.value_head_dim) or head
    keys = key_value_heads(model, group, alike.tensor)
    fused = alike.heads * head * (2 if model.output_gate else 1) + keys * (head + value_head)
    yield from alike.matrices(LinearPart.ATTENTION, fused, hidden)
    yield from alike.matrices(LinearPart.ATTENTION_OUTPUT, hidden, alike.heads * value_head)
    if model.attention_bias:
        yield (fused * wide, count)
    if model.output_bias:
        yield (hidden * wide, count)
    if model.query_key_norm:
        yield (head * wide, 2 * count)


def _latent(alike: _Alike, group: MlaAttention) -> Iterator[Tensor]:
    wide, hidden, heads, count = alike.wide, alike.hidden, alike.heads, alike.count
    query = heads * (group.qk_nope_head_dim + group.qk_rope_head_dim)
    latent = group.kv_lora_rank + group.qk_rope_head_dim
    if group.q_lora_rank is None:
        yield from alike.matrices(LinearPart.ATTENTION, query, hidden)
        yield from alike.matrices(LinearPart.ATTENTION, latent, hidden)
    else:  # the two down-projections are one tensor, whole on every rank
        yield from alike.matrices(LinearPart.ATTENTION, group.q_lora_rank + latent, hidden)
        yield from alike.matrices(LinearPart.ATTENTION, query, group.q_lora_rank)
        yield (group.q_lora_rank * wide, count)
    up = heads * (group.qk_nope_head_dim + group.v_head_dim)
    yield from alike.matrices(LinearPart.LATENT_EXPANSION, up, group.kv_lora_rank)
    if isinstance(alike.stored(LinearPart.LATENT_EXPANSION), Quantised):
        # The absorbed projections are kept in 16 bits beside the quantised weight.
        yield (up * group.kv_lora_rank * wide, count)
    yield from alike.matrices(LinearPart.ATTENTION_OUTPUT, hidden, heads * group.v_head_dim)
    yield (group.kv_lora_rank * wide, count)
    if alike.layer.indexer:
        rank = group.q_lora_rank or hidden
        yield from alike.matrices(LinearPart.INDEXER, group.indexer_heads * group.indexer_head_dim, rank)
        # vLLM fuses the two other projections, in 16 bits whatever the checkpoint stores.
        yield ((group.indexer_head_dim + group.indexer_heads) * hidden * wide, count)


def _linear(alike: _Alike, group: LinearAttention) -> Iterator[Tensor]:
    wide, hidden, count, tensor = alike.wide, alike.hidden, alike.count, alike.tensor
    value = group.value_heads * group.value_head_dim
    yield from alike.matrices(LinearPart.STATE, (group.projected + value) / tensor, hidden)
    yield (2 * group.value_heads / tensor * hidden * wide, count)
    yield (group.projected * group.convolution / tensor * wide, count)
    yield from alike.matrices(LinearPart.STATE_OUTPUT, hidden, value / tensor)


def _state_space(alike: _Alike, group: StateSpace) -> Iterator[Tensor]:
    wide, hidden, count, tensor = alike.wide, alike.hidden, alike.count, alike.tensor
    # Groups are repeated where there are fewer of them than ranks.
    states = 2 * max(group.groups, tensor) * group.state
    inwards = 2 * group.inner + states + group.heads
    yield from alike.matrices(LinearPart.STATE, inwards / tensor, hidden)
    yield from alike.matrices(LinearPart.STATE_OUTPUT, hidden, group.inner / tensor)
    yield ((group.inner + states) * (group.convolution + 1) / tensor * wide, count)
    yield (group.inner / tensor * wide, count)


def _mlp(alike: _Alike, size: int, inwards: LinearPart, outwards: LinearPart) -> Iterator[Tensor]:
    shard, hidden = size / alike.tensor, alike.hidden
    yield from alike.matrices(inwards, shard * (2 if alike.model.gated_mlp else 1), hidden)
    yield from alike.matrices(outwards, hidden, shard)


def _experts(alike: _Alike, experts: Experts, ranks: int) -> Iterator[Tensor]:
    model, wide, hidden, count = alike.model, alike.wide, alike.hidden, alike.count
    local = ceil(experts.count / ranks)
    cut = alike.tensor if ranks == 1 else 1
    kept = alike.stored(LinearPart.EXPERTS)
    size, weights = padded_experts(model, kept, experts.intermediate_size, cut, alike.kernels)
    width = padded_hidden(kept, experts.latent_size or hidden, alike.kernels)
    gates = 2 if model.gated_mlp else 1
    yield from weights.matrices(gates * size, width, count, copies=local)
    yield from weights.matrices(width, size, count, copies=local)
    if experts.bias:  # Marlin's kernel leaves them in 16 bits, and others want 32
        size_of_bias = wide if isinstance(weights, Plain) or weights.marlin else 4
        yield (local * gates * size * size_of_bias, count)
        yield (local * width * size_of_bias, count)
    yield (experts.count * hidden * (4 if experts.wide_router else wide), count)
    shared = LinearPart.SHARED_EXPERTS
    if experts.latent_size:
        yield from alike.stored(shared).matrices(experts.latent_size, hidden, 2 * count)
    if experts.shared_intermediate_size:
        yield from _mlp(alike, experts.shared_intermediate_size, shared, shared)
        if experts.shared_gate:
            yield (hidden * wide, count)
