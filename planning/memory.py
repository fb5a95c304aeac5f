"""What vLLM does with a GPU's memory: weights, the peak of its profile run, CUDA graphs, and the KV cache of the rest.

Keyed by vLLM release. The figures of 0.24 were measured on H200 and H100; everything else is extrapolated and says so.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from catalog.model import LinearAttention, Model
from planning.activation import charged_graphs, peak_activation
from planning.adapters import adapter_bytes
from planning.engine import Card, Engine, Runner, ServeSettings
from planning.kv_cache import KvLayout, kv_layout
from planning.weights import GIB, Sharding, Stage, stages_of, weight_bytes


class Basis(StrEnum):
    MEASURED = "measured"
    EXTRAPOLATED = "extrapolated"


@dataclass(frozen=True)
class GpuMemory:
    """GiB on one GPU of the stage that limits the cache, and the tokens of the whole model server."""

    total_gib: float
    budget_gib: float
    weights_gib: float
    activation_gib: float
    non_torch_gib: float
    graphs_gib: float
    kv_cache_gib: float
    kv_cache_tokens: int
    max_concurrency: float
    """Requests of `wanted_max_model_len` tokens at once."""
    wanted_max_model_len: int
    largest_max_model_len: int
    """The longest context that starts, up to the wanted one; 0 if none does."""
    needed_kv_gib: float
    """GiB of KV cache that one request of the wanted length takes."""
    runner: Runner
    basis: Basis

    @property
    def overhead_gib(self) -> float:
        return self.activation_gib + self.non_torch_gib + self.graphs_gib

    @property
    def fits(self) -> bool:
        return self.largest_max_model_len >= self.wanted_max_model_len

    @property
    def missing_gib(self) -> float:
        """GiB per GPU that are missing for one request of the wanted length."""
        return max(0.0, self.needed_kv_gib - self.kv_cache_gib)


@lru_cache(maxsize=65536)
def gpu_memory(model: Model, card: Card, sharding: Sharding, settings: ServeSettings, engine: Engine) -> GpuMemory:
    """The memory of one model server. Of several pipeline stages the one with the fewest blocks decides."""
    in_flight = settings.max_num_batched_tokens
    if engine.sliding_window_batches:
        in_flight *= sharding.pipeline + engine.sliding_window_batches
    tightest: tuple[int, float, Stage, _Parts, KvLayout] | None = None
    for stage in _distinct(stages_of(model, sharding.pipeline)):
        parts = _parts(model, sharding, stage, settings, engine)
        layout = kv_layout(
            model, settings.kv_cache_dtype, settings.block_size, sharding.tensor, sharding.pipeline, stage
        )
        room = settings.gpu_memory_utilization * card.torch_gib * GIB - parts.total
        blocks = max(0, int(room // layout.block_bytes))
        if tightest is None or (blocks, room) < tightest[:2]:
            tightest = (blocks, room, stage, parts, layout)
    assert tightest is not None
    blocks, room, _, parts, layout = tightest
    needed = layout.blocks(settings.max_model_len, in_flight)
    concurrency = blocks / needed
    return GpuMemory(
        total_gib=card.torch_gib,
        budget_gib=settings.gpu_memory_utilization * card.torch_gib,
        weights_gib=parts.weights / GIB,
        activation_gib=parts.activation / GIB,
        non_torch_gib=parts.non_torch / GIB,
        graphs_gib=parts.graphs / GIB,
        kv_cache_gib=room / GIB,
        kv_cache_tokens=int(concurrency * settings.max_model_len),
        max_concurrency=concurrency,
        wanted_max_model_len=settings.max_model_len,
        largest_max_model_len=layout.longest(blocks, in_flight, settings.max_model_len),
        needed_kv_gib=needed * layout.block_bytes / GIB,
        runner=engine.runner(model),
        basis=_basis(model, card, sharding, settings, engine),
    )


def _basis(model: Model, card: Card, sharding: Sharding, settings: ServeSettings, engine: Engine) -> Basis:
    """Measured is what the measurements covered: this release and card, TP 1 and 2, 16-bit weights and cache, text."""
    plain = model.quantization is None and model.vision is None and not settings.kv_cache_dtype.quantised
    covered = sharding.tensor <= 2 and sharding.pipeline == 1 and not sharding.expert_parallel and model.counted
    covered = covered and not settings.adapter_slots and not settings.draft_gib
    linear = any(isinstance(group, LinearAttention) for group in model.attention)
    measured = engine.measured and card.measured and plain and covered and not linear
    return Basis.MEASURED if measured else Basis.EXTRAPOLATED


def _distinct(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """One of each kind of stage: the ones between the ends differ only by their number."""
    seen = {(stage.layers, stage.dense_layers, stage.first, stage.last): stage for stage in reversed(stages)}
    return tuple(seen.values())


@dataclass(frozen=True)
class _Parts:
    """Bytes on one GPU that are not KV cache."""

    weights: float
    activation: float
    non_torch: float
    graphs: float

    @property
    def total(self) -> float:
        return self.weights + self.activation + self.non_torch + self.graphs


def _parts(model: Model, sharding: Sharding, stage: Stage, settings: ServeSettings, engine: Engine) -> _Parts:
    runner = engine.runner(model)
    return _Parts(
        weights=weight_bytes(model, sharding, stage) + _beside_the_model(model, sharding, stage, settings),
        activation=peak_activation(model, sharding, stage, settings, engine),
        non_torch=_NON_TORCH_TENSOR_PARALLEL if sharding.tensor * sharding.pipeline > 1 else _NON_TORCH[runner],
        graphs=0.0 if settings.enforce_eager else charged_graphs(stage, settings, engine, runner),
    )


def _beside_the_model(model: Model, sharding: Sharding, stage: Stage, settings: ServeSettings) -> float:
    """Bytes of adapter slots, and of a draft model, which runs with the target's last stage."""
    adapters = adapter_bytes(model, sharding, stage, settings.adapter_slots, settings.adapter_rank)
    return adapters + (settings.draft_gib * GIB / sharding.tensor if stage.last else 0.0)


# Measured on H200 and H100: CUDA modules and library handles; with NCCL's buffers at TP 2.
_NON_TORCH = {Runner.V1: 0.24 * GIB, Runner.V2: 0.22 * GIB}
_NON_TORCH_TENSOR_PARALLEL = 0.54 * GIB
