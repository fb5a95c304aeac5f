"""What vLLM does with a GPU's memory: weights, the peak of its profile run, CUDA graphs, and the KV cache of the rest.

Keyed by vLLM release. Weights and cache are what vLLM's own code said of them, where it was asked, else counted by our
formulas. The figures of 0.24 were measured on H200 and H100, those of 0.33 on H200.
Each answer says which of these it rests on.
"""

from dataclasses import dataclass
from functools import lru_cache

from catalog import Basis
from catalog.engine import Runner
from catalog.model import MODELS, Stateful
from planning.activation import charged_graphs, kept_beside_weights, peak_activation
from planning.adapters import adapter_bytes
from planning.basis import trust_in
from planning.buffers import buffer_bytes
from planning.decision import Decision
from planning.kv_cache import CacheSettings, KvLayout, bytes_per_token, kv_layout
from planning.recorded import recorded_answer, recorded_refusal, unasked
from planning.server import Server
from planning.weights import GIB, Stage, stages_of, weight_bytes

_HELD_BACK = 1
"""The null block, which no request gets: vLLM's check of the longest request leaves it out, its count of the cache's
tokens does not (v1/core/kv_cache_planning.py of 0.33.0, get_kv_cache_configs)."""


class GpuMemory(Decision):
    """GiB on one GPU of the stage that limits the cache, and the tokens of the whole model server."""

    total_gib: float
    """GiB that torch sees."""
    budget_gib: float
    """GiB that vLLM may use of these."""
    weights_gib: float
    """GiB of the model's weights, with adapters and a draft's."""
    activation_gib: float
    """GiB at the peak of the profile run."""
    non_torch_gib: float
    """GiB outside torch: CUDA modules, library handles, NCCL."""
    graphs_gib: float
    """GiB that are charged for CUDA graphs."""
    kv_cache_gib: float
    """GiB that are left for the KV cache; below 0: so many are missing for the rest alone."""
    kv_cache_tokens: int
    """Tokens that the KV cache holds."""
    max_concurrency: float
    """Requests of `wanted_max_model_len` tokens at once."""
    wanted_max_model_len: int
    """Tokens of the longest request, as asked for."""
    largest_max_model_len: int
    """The longest context that starts, up to the wanted one; 0 if none does."""
    needed_kv_gib: float
    """GiB of KV cache that one request of the wanted length takes."""
    held_back_gib: float
    """GiB of the blocks that no request gets."""
    state_blocks: int | None
    """Blocks of the cache where each decoding sequence needs one for its states; None: none does."""
    runner: Runner
    """Which of vLLM's two runs the model."""
    basis: Basis
    """How far these can be trusted."""
    basis_reason: str
    """What of it was measured or asked of vLLM's own code, and what was not."""
    refusal: str | None = None
    """Why vLLM itself does not start so, where it was asked and does not."""

    @property
    def counted(self) -> bool:
        """Whether there are any numbers: not of a model that neither our formulas nor vLLM's code say anything of."""
        return self.weights_gib > 0

    @property
    def overhead_gib(self) -> float:
        return self.activation_gib + self.non_torch_gib + self.graphs_gib

    @property
    def fits(self) -> bool:
        return self.refusal is None and self.largest_max_model_len >= self.wanted_max_model_len

    @property
    def missing_gib(self) -> float:
        """GiB per GPU that are missing for one request of the wanted length."""
        return max(0.0, self.needed_kv_gib + self.held_back_gib - self.kv_cache_gib)


@lru_cache(maxsize=65536)
def gpu_memory(server: Server) -> GpuMemory:
    """The memory of one model server. Of several pipeline stages the one with the fewest blocks decides."""
    model, card, sharding, settings, engine = server.model, server.card, server.sharding, server.settings, server.engine
    in_flight = settings.max_num_batched_tokens
    if engine.sliding_window_batches:
        in_flight *= sharding.pipeline + engine.sliding_window_batches
    answer = recorded_answer(server)
    refusal = recorded_refusal(server) or unasked(server)
    if refusal is not None and model.recorded_only:
        return _without_numbers(server, refusal)
    said = answer if refusal is None else None
    cache = cache_settings(server)

    def filled(stage: Stage) -> tuple[int, float, _Parts, KvLayout]:
        """Blocks and bytes of room on a GPU of that stage, and what they follow from."""
        parts = _parts(server, stage, counted_weights(server, stage) if said is None else said.weights(stage))
        layout = (
            kv_layout(model, cache, sharding.tensor, sharding.pipeline, stage) if said is None else said.layout(stage)
        )
        room = settings.gpu_memory_utilization * card.torch_gib * GIB - parts.total
        return max(0, int(room // layout.block_bytes)), room, parts, layout

    stages = stages_of(model, sharding.pipeline)
    blocks, room, parts, layout = min(
        map(filled, _distinct(stages) if said is None else stages), key=lambda stage: stage[:2]
    )
    trust = trust_in(server, recorded=answer is not None)
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
        largest_max_model_len=layout.longest(blocks - _HELD_BACK, in_flight, settings.max_model_len),
        needed_kv_gib=needed * layout.block_bytes / GIB,
        held_back_gib=_HELD_BACK * layout.block_bytes / GIB,
        state_blocks=blocks if _decodes_by_state(server, layout) else None,
        runner=server.runner,
        basis=trust.basis,
        basis_reason=trust.why,
        refusal=refusal,
    )


def cache_settings(server: Server) -> CacheSettings:
    """What decides the cache's layout, of the flags and the release."""
    settings, tensor = server.settings, server.sharding.tensor
    draft = MODELS[settings.draft_model] if settings.draft_model is not None else None
    return CacheSettings(
        dtype=settings.kv_cache_dtype,
        block_size=settings.block_size,
        states=server.engine.states_on(server.card.capability),
        kernels=server.engine.kernels_on(server.card.capability),
        draft_tokens=settings.draft_tokens,
        draft_layers=server.model.draft_layers if settings.own_draft else settings.draft_layers,
        draft_bytes_per_token=bytes_per_token(draft, settings.kv_cache_dtype, tensor) if draft else 0,
    )


def _without_numbers(server: Server, refusal: str) -> GpuMemory:
    """The answer for a shape of which we only know that, or why, it cannot be planned."""
    return GpuMemory(
        total_gib=server.card.torch_gib,
        budget_gib=server.settings.gpu_memory_utilization * server.card.torch_gib,
        weights_gib=0.0,
        activation_gib=0.0,
        non_torch_gib=0.0,
        graphs_gib=0.0,
        kv_cache_gib=0.0,
        kv_cache_tokens=0,
        max_concurrency=0.0,
        wanted_max_model_len=server.settings.max_model_len,
        largest_max_model_len=0,
        needed_kv_gib=0.0,
        held_back_gib=0.0,
        state_blocks=None,
        runner=server.runner,
        basis=Basis.EXTRAPOLATED,
        basis_reason="nothing is known of this shape",
        refusal=refusal,
    )


def _decodes_by_state(server: Server, layout: KvLayout) -> bool:
    """vLLM's check hangs on the CUDA graphs of whole decode steps, which an eager engine has not."""
    stateful = any(isinstance(group, Stateful) for group in server.model.attention)
    if server.model.recorded_only:
        stateful = any(group.constant_blocks is not None for group in layout.groups)
    return stateful and server.engine.states_need_blocks and not server.settings.enforce_eager


def _distinct(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """One of each kind of stage: the ones between the ends differ only by their number."""
    seen = {(stage.layers, stage.first, stage.last): stage for stage in reversed(stages)}
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


def counted_weights(server: Server, stage: Stage) -> float:
    """Bytes by our formulas, with the buffers that a model's class makes beside them; a record has both."""
    model, sharding, settings = server.model, server.sharding, server.settings
    kernels = server.engine.kernels_on(server.card.capability)
    buffers = buffer_bytes(model, stage, sharding.tensor, settings, kernels)
    return weight_bytes(model, sharding, stage, draft=settings.own_draft, kernels=kernels) + buffers


def _parts(server: Server, stage: Stage, weights: float) -> _Parts:
    return _Parts(
        weights=weights + _beside_the_model(server, stage),
        activation=peak_activation(server, stage) + kept_beside_weights(server, stage),
        non_torch=_non_torch(server),
        graphs=0.0 if server.settings.enforce_eager else charged_graphs(server, stage),
    )


def _non_torch(server: Server) -> float:
    here = _NON_TORCH_LIBRARIES_AHEAD if server.engine.libraries_before_snapshot else _NON_TORCH[server.runner]
    if server.sharding.tensor * server.sharding.pipeline == 1:
        return here
    return _NON_TORCH_TENSOR_PARALLEL - (_NON_TORCH[server.runner] - here)


def _beside_the_model(server: Server, stage: Stage) -> float:
    """Bytes of adapter slots, and of a draft model, which runs with the target's last stage."""
    sharding, settings = server.sharding, server.settings
    adapters = adapter_bytes(server.model, sharding, stage, settings.adapter_slots, settings.adapter_rank)
    return adapters + (settings.draft_gib * GIB / sharding.tensor if stage.last else 0.0)


# Measured on H200 and H100: CUDA modules and library handles; with NCCL's buffers at TP 2.
_NON_TORCH = {Runner.V1: 0.24 * GIB, Runner.V2: 0.22 * GIB}
_NON_TORCH_TENSOR_PARALLEL = 0.54 * GIB
_NON_TORCH_LIBRARIES_AHEAD = 0.07 * GIB
"""Where the library handles are there before vLLM's first snapshot (0.33)."""
