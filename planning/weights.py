"""Counts the weights that one GPU holds, tensor by tensor as vLLM lays them out, and what the allocator rounds up."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from catalog.model import (
    Experts,
    FullAttention,
    LinearAttention,
    MlaAttention,
    Model,
    QuantisedPart,
    SlidingAttention,
    Vision,
)

GIB = 1024**3
MIB = 1024**2

_CHECKPOINT_MARGIN = 1.02
"""What a checkpoint of unknown shape takes in memory over its size on disk (KAITO's estimator)."""

Tensor = tuple[float, int]
"""Bytes of one tensor on one GPU, and how many there are of it."""


@dataclass(frozen=True)
class Sharding:
    """How the weights are spread over GPUs. `experts` is the number of ranks that the experts are dealt out to."""

    tensor: int = 1
    pipeline: int = 1
    experts: int = 1

    @property
    def expert_parallel(self) -> bool:
        return self.experts > 1


@dataclass(frozen=True)
class Stage:
    """One pipeline stage: how many layers of which kind it has, in the order of `Model.attention`."""

    index: int
    layers: tuple[int, ...]
    dense_layers: int
    first: bool
    last: bool

    @property
    def total(self) -> int:
        return sum(self.layers)


@lru_cache(maxsize=4096)
def stages_of(model: Model, pipeline: int) -> tuple[Stage, ...]:
    """The stages as vLLM cuts them: a remainder goes to the stages before the last, kinds are spread evenly."""
    total = model.layers
    sizes = [total // pipeline] * pipeline
    for behind in range(2, total % pipeline + 2):
        sizes[-behind] += 1
    dense = model.experts.dense_layers if model.experts else 0
    stages: list[Stage] = []
    start = 0
    for index, size in enumerate(sizes):
        end = start + size
        counts = [group.layers * end // total - group.layers * start // total for group in model.attention]
        largest = max(range(len(counts)), key=lambda i: model.attention[i].layers)
        counts[largest] += size - sum(counts)
        stages.append(
            Stage(index, tuple(counts), max(0, min(dense, end) - start), first=index == 0, last=index == pipeline - 1)
        )
        start = end
    return tuple(stages)


def allocated(size: float) -> float:
    """Bytes that torch's caching allocator counts for one weight of `size` bytes.

    vLLM loads weights with `max_split_size_mb` 20: a block of 20 MiB or more is never split, so a weight keeps the
    whole of its block, which is a multiple of 2 MiB; of a smaller one a remainder of up to 1 MiB stays with it.
    """
    if size < 10 * MIB:
        return ceil(size / 512) * 512
    block = ceil(size / (2 * MIB)) * 2 * MIB
    return block if size >= 20 * MIB or block - size <= MIB else size


@lru_cache(maxsize=65536)
def weight_bytes(model: Model, sharding: Sharding, stage: Stage) -> float:
    """Bytes of weights and rotary tables on one GPU of that stage."""
    if not model.counted:
        return _from_checkpoint(model, sharding, stage)
    total = sum(allocated(size) * count for size, count in _tensors(model, sharding, stage))
    return total + COMMUNICATOR if sharding.tensor > 1 else total


COMMUNICATOR = 32 * MIB
"""What torch holds more at TP 2 than half of TP 1 (measured on Llama 3.1 8B and Gemma 3 27B)."""


def parameters(model: Model) -> int | None:
    """How many weights the language model and its image encoder have; None where the shape is not wholly known."""
    if not model.counted:
        return None
    plain = model.model_copy(update={"quantization": None})
    stage = stages_of(model, 1)[0]
    elements = sum(size * count for size, count in _tensors(plain, Sharding(), stage, rotary=False))
    return round(elements / model.dtype.bytes_per_weight)


def _from_checkpoint(model: Model, sharding: Sharding, stage: Stage) -> float:
    """The embeddings are known; the rest of the checkpoint is spread evenly over layers and ranks."""
    assert model.checkpoint_gib is not None
    table = model.vocabulary * model.hidden_size * model.dtype.bytes_per_weight
    tables = table if model.tied_embeddings else 2 * table
    body = model.checkpoint_gib * GIB * _CHECKPOINT_MARGIN - tables
    ends = table * (1 if model.tied_embeddings and stage.first else int(stage.first) + int(stage.last))
    return (body * stage.total / model.layers + ends) / sharding.tensor


def _tensors(model: Model, sharding: Sharding, stage: Stage, *, rotary: bool = True) -> Iterator[Tensor]:
    yield from _embeddings(model, sharding.tensor, stage)
    for group, layers in zip(model.attention, stage.layers, strict=True):
        match group:
            case FullAttention() | SlidingAttention():
                yield from _attention(model, group, sharding.tensor, layers)
            case MlaAttention():
                yield from _latent_attention(model, group, sharding.tensor, layers)
            case LinearAttention():
                yield from _linear_attention(model, group, sharding.tensor, layers)
    wide = model.dtype.bytes_per_weight
    yield (model.hidden_size * wide, stage.total * model.norms_per_layer + int(stage.last))
    dense = stage.dense_layers if model.experts else stage.total
    if model.intermediate_size is not None:
        yield from _mlp(model, model.intermediate_size, sharding.tensor, dense)
    if model.experts is not None:
        yield from _experts(model, model.experts, sharding, stage.total - dense)
    if model.vision is not None and stage.first:
        yield from _vision(model.vision, sharding.tensor, wide)
    if rotary:
        yield from _rotary_tables(model)


def _embeddings(model: Model, tensor: int, stage: Stage) -> Iterator[Tensor]:
    size = embedding_bytes(model, tensor)
    if model.tied_embeddings:
        yield (size, 1 if stage.first or stage.last else 0)
    else:
        yield (size, int(stage.first) + int(stage.last))


def embedding_bytes(model: Model, tensor: int) -> float:
    """Bytes of one GPU's shard of an embedding table, whose vocabulary vLLM pads to a multiple of 64."""
    padded = ceil(model.vocabulary / 64) * 64
    return padded * model.hidden_size * model.dtype.bytes_per_weight / tensor


def linear_bytes(model: Model) -> float:
    """Bytes of one weight of an attention or dense linear layer."""
    covered = model.quantization is not None and model.quantization.covers is QuantisedPart.LINEAR
    return model.weight_format.bytes_per_weight if covered else model.dtype.bytes_per_weight


def key_value_heads(model: Model, group: FullAttention | SlidingAttention, tensor: int) -> int:
    """Heads on one GPU: replicated once there are more ranks than heads."""
    heads = group.key_value_heads or model.key_value_heads
    assert heads is not None
    return max(1, heads // tensor)


def _attention(model: Model, group: FullAttention | SlidingAttention, tensor: int, layers: int) -> Iterator[Tensor]:
    width, wide = linear_bytes(model), model.dtype.bytes_per_weight
    head = group.head_dim or model.head_dim
    query = model.attention_heads / tensor * head
    fused = query * (2 if model.output_gate else 1) + 2 * key_value_heads(model, group, tensor) * head
    yield (fused * model.hidden_size * width, layers)
    yield (query * model.hidden_size * width, layers)
    if model.attention_bias:
        yield (fused * wide, layers)
    if model.output_bias:
        yield (model.hidden_size * wide, layers)
    if model.query_key_norm:
        yield (head * wide, 2 * layers)


def _latent_attention(model: Model, group: MlaAttention, tensor: int, layers: int) -> Iterator[Tensor]:
    width, wide, hidden = linear_bytes(model), model.dtype.bytes_per_weight, model.hidden_size
    heads = model.attention_heads / tensor
    query = heads * (group.qk_nope_head_dim + group.qk_rope_head_dim)
    latent = group.kv_lora_rank + group.qk_rope_head_dim
    if group.q_lora_rank is None:
        yield (query * hidden * width, layers)
        yield (latent * hidden * width, layers)
    else:  # the two down-projections are one tensor, whole on every rank
        yield ((group.q_lora_rank + latent) * hidden * width, layers)
        yield (query * group.q_lora_rank * width, layers)
        yield (group.q_lora_rank * wide, layers)
    up = heads * (group.qk_nope_head_dim + group.v_head_dim) * group.kv_lora_rank
    yield (up * width, layers)
    if width != wide:  # the absorbed projections are kept in 16 bits beside the quantised weight
        yield (up * wide, layers)
    yield (heads * group.v_head_dim * hidden * width, layers)
    yield (group.kv_lora_rank * wide, layers)
    if group.indexer_heads:
        rank = group.q_lora_rank or hidden
        indexer = rank * group.indexer_heads * group.indexer_head_dim + hidden * group.indexer_head_dim
        yield (indexer * width + hidden * group.indexer_heads * wide, layers)


def _linear_attention(model: Model, group: LinearAttention, tensor: int, layers: int) -> Iterator[Tensor]:
    width, hidden = linear_bytes(model), model.hidden_size
    key, value = group.key_heads * group.key_head_dim, group.value_heads * group.value_head_dim
    yield ((2 * key + 2 * value) / tensor * hidden * width, layers)
    yield (2 * group.value_heads / tensor * hidden * width, layers)
    yield ((2 * key + value) * group.convolution / tensor * model.dtype.bytes_per_weight, layers)
    yield (value / tensor * hidden * width, layers)


def _mlp(model: Model, size: int, tensor: int, layers: int) -> Iterator[Tensor]:
    shard = size / tensor * model.hidden_size * linear_bytes(model)
    yield (shard * (2 if model.gated_mlp else 1), layers)
    yield (shard, layers)


def _experts(model: Model, experts: Experts, sharding: Sharding, layers: int) -> Iterator[Tensor]:
    width, wide, hidden = model.weight_format.bytes_per_weight, model.dtype.bytes_per_weight, model.hidden_size
    local = ceil(experts.count / sharding.experts)
    size = experts.intermediate_size / (1 if sharding.expert_parallel else sharding.tensor)
    yield (local * 2 * size * hidden * width, layers)
    yield (local * size * hidden * width, layers)
    if experts.bias:
        yield (local * (2 * size + hidden) * wide, layers)
    yield (experts.count * hidden * wide, layers)
    if experts.shared_intermediate_size:
        yield from _mlp(model, experts.shared_intermediate_size, sharding.tensor, layers)


def _vision(vision: Vision, tensor: int, wide: float) -> Iterator[Tensor]:
    yield (vision.parameters / tensor * wide, 1)


def _rotary_tables(model: Model) -> Iterator[Tensor]:
    """Cosines and sines of every position, one table for each kind of layer."""
    for kind in {type(group): group for group in model.attention}.values():
        match kind:
            case FullAttention():
                yield ((kind.rope_cache_tokens or model.context) * (kind.head_dim or model.head_dim) * 2, 1)
            case SlidingAttention():
                if kind.own_rotary_table or len(model.attention) == 1:
                    yield (model.context * (kind.head_dim or model.head_dim) * 2, 1)
            case MlaAttention():
                yield (model.context * kind.qk_rope_head_dim * 2, 1)
            case LinearAttention():
                pass
