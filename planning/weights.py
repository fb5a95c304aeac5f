"""Counts the weights that one GPU holds, tensor by tensor as vLLM lays them out, and what the allocator rounds up."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from catalog.architectures import traits_of
from catalog.engine import HOPPER, Kernels
from catalog.model import ChunkedAttention, FullAttention, LinearPart, MlaAttention, Model, SlidingAttention
from planning.layers import Layer, layer_tensors
from planning.stored import Tensor, stored

GIB = 1024**3
MIB = 1024**2

_CHECKPOINT_MARGIN = 1.02
"""What a checkpoint of unknown shape takes in memory over its size on disk (KAITO's estimator)."""


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
    """One pipeline stage: the layers from `start` on, how many of each group of `Model.attention`."""

    index: int
    start: int
    layers: tuple[int, ...]
    first: bool
    last: bool

    @property
    def total(self) -> int:
        return sum(self.layers)


@lru_cache(maxsize=4096)
def stages_of(model: Model, pipeline: int) -> tuple[Stage, ...]:
    """The stages as vLLM cuts them: a remainder goes to the stages before the last."""
    total = model.layers
    sizes = [total // pipeline] * pipeline
    for behind in range(2, total % pipeline + 2):
        sizes[-behind] += 1
    stages: list[Stage] = []
    start = 0
    for index, size in enumerate(sizes):
        kinds = model.layer_kinds[start : start + size]
        counts = tuple(kinds.count(group) for group in range(len(model.attention)))
        stages.append(Stage(index, start, counts, first=index == 0, last=index == pipeline - 1))
        start += size
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
def weight_bytes(
    model: Model, sharding: Sharding, stage: Stage, *, draft: bool = False, kernels: Kernels = HOPPER
) -> float:
    """Bytes of weights and rotary tables on one GPU of that stage; with the checkpoint's own draft layers if wanted."""
    if not model.counted:
        return _from_checkpoint(model, sharding, stage)
    tensors = _tensors(model, sharding, stage, kernels)
    total = sum(allocated(size) * count for size, count in tensors)
    if draft and stage.last:
        total += sum(allocated(size) * count for size, count in _draft(model, sharding, kernels))
    return total + COMMUNICATOR if sharding.tensor > 1 else total


COMMUNICATOR = 32 * MIB
"""What torch holds more at TP 2 than half of TP 1 (measured on Llama 3.1 8B and Gemma 3 27B)."""


def parameters(model: Model) -> int | None:
    """How many weights the language model and its image encoder have; None where the shape is not wholly known."""
    if not model.counted:
        return None
    plain = model.model_copy(update={"quantization": None})
    stage = stages_of(model, 1)[0]
    elements = sum(size * count for size, count in _tensors(plain, Sharding(), stage, HOPPER, rotary=False))
    return round(elements / model.dtype.bytes_per_element)


def _from_checkpoint(model: Model, sharding: Sharding, stage: Stage) -> float:
    """The embeddings are known; the rest of the checkpoint is spread evenly over layers and ranks."""
    if model.checkpoint_gib is None:
        raise ValueError(f"nobody knows how large {model.id} is: it is planned from records alone")
    table = model.vocabulary * model.hidden_size * model.dtype.bytes_per_element
    tables = table if model.tied_embeddings else 2 * table
    body = model.checkpoint_gib * GIB * _CHECKPOINT_MARGIN - tables
    ends = table * (1 if model.tied_embeddings and stage.first else int(stage.first) + int(stage.last))
    return (body * stage.total / model.layers + ends) / sharding.tensor


def _tensors(
    model: Model, sharding: Sharding, stage: Stage, kernels: Kernels, *, rotary: bool = True
) -> Iterator[Tensor]:
    yield from _embeddings(model, sharding.tensor, stage)
    for layer, count in _layers(model, stage.start, stage.start + stage.total):
        yield from layer_tensors(model, layer, count, sharding.tensor, sharding.experts, kernels)
    wide = model.dtype.bytes_per_element
    if stage.last:
        yield (model.hidden_size * wide, 1)
    if model.vision is not None and (stage.first or traits_of(model.architecture).vision_on_every_stage):
        cut = stored(model, model.format_of(LinearPart.VISION))
        yield (model.vision.parameters / sharding.tensor * cut.bytes_per_element, 1)
        yield (model.vision.whole_parameters * wide, 1)
    if rotary:
        for _ in range(traits_of(model.architecture).rotary_tables):
            yield from _rotary_tables(model)


@lru_cache(maxsize=4096)
def _layers(model: Model, start: int, end: int) -> tuple[tuple[Layer, int], ...]:
    """The different layers of a stage, and how many there are of each."""
    counts: dict[Layer, int] = {}
    for number in range(start, end):
        layer = Layer.of(model, number)
        counts[layer] = counts.get(layer, 0) + 1
    return tuple(counts.items())


def _draft(model: Model, sharding: Sharding, kernels: Kernels) -> Iterator[Tensor]:
    """The checkpoint's layers for speculative decoding: one more layer each, and what joins it to the last."""
    layer = Layer.draft(model)
    wide = model.dtype.bytes_per_element
    ranks = sharding.tensor if traits_of(model.architecture).draft_joint_sharded else 1
    for _ in range(model.draft_layers):
        yield from layer_tensors(model, layer, 1, sharding.tensor, sharding.experts, kernels)
        yield (2 * model.hidden_size * model.hidden_size * wide / ranks, 1)
        yield (model.hidden_size * wide, 3)


def _embeddings(model: Model, tensor: int, stage: Stage) -> Iterator[Tensor]:
    traits = traits_of(model.architecture)
    size = embedding_bytes(model, tensor)
    everywhere = traits.embeddings_on_every_stage
    inputs = int(stage.first or everywhere or (model.tied_embeddings and stage.last))
    yield (size, inputs)
    if not model.tied_embeddings and (stage.last or traits.head_on_every_stage):
        rows = size / model.dtype.bytes_per_element / model.hidden_size
        yield from stored(model, model.format_of(LinearPart.OUTPUT_EMBEDDING)).matrices(rows, model.hidden_size, 1)


def embedding_bytes(model: Model, tensor: int) -> float:
    """Bytes of one GPU's shard of an embedding table, whose vocabulary vLLM pads to a multiple of 64."""
    padded = ceil(model.vocabulary / 64) * 64
    return padded * model.hidden_size * model.dtype.bytes_per_element / tensor


def _rotary_tables(model: Model) -> Iterator[Tensor]:
    """Cosines and sines of every position, one table for each kind of layer."""
    wide = 4 if traits_of(model.architecture).wide_rotary_tables else 2
    for kind in {type(group): group for group in model.attention}.values():
        match kind:
            case FullAttention():
                width = _rotary_width(model, kind.head_dim)
                yield ((kind.rope_cache_tokens or model.context) * width * wide, 1)
            case SlidingAttention():
                if kind.own_rotary_table or len(model.attention) == 1:
                    yield (model.context * (_rotary_width(model, kind.head_dim)) * wide, 1)
            case ChunkedAttention():
                if not any(isinstance(group, FullAttention) for group in model.attention):
                    yield (model.context * model.head_dim * wide, 1)
            case MlaAttention():
                yield (model.context * kind.qk_rope_head_dim * wide, 1)
            case _:
                pass


def _rotary_width(model: Model, head_dim: int | None) -> int:
    return (head_dim or model.head_dim) if model.rotary is None else model.rotary
