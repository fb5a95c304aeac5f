"""What vLLM's own code said of a shape: its weights, cache blocks and refusals. Where nobody asked it, nothing."""

from dataclasses import dataclass
from functools import lru_cache

from catalog import PINS
from catalog.model import MODELS, KvCacheDtype, Model
from catalog.recorded import RecordedCase, RecordedGroup, Way, record_of
from planning.buffers import buffer_bytes
from planning.engine import ServeSettings, default_max_num_batched_tokens, default_max_num_seqs
from planning.kv_cache import BlockGroup, KvLayout
from planning.server import Server
from planning.weights import COMMUNICATOR, GIB, Stage, stages_of

_ALIKE = {KvCacheDtype.FP8_E4M3: KvCacheDtype.FP8, KvCacheDtype.FP8_E5M2: KvCacheDtype.FP8}
"""Names of formats whose blocks are those of another."""


@dataclass(frozen=True)
class Answer:
    """What one release said of one shape on cards of one compute capability."""

    case: RecordedCase
    beyond: tuple[float, ...] = ()
    """Bytes that a class sets aside for more tokens or requests than the usual, which were asked about; by stage."""

    def weights(self, stage: Stage) -> float:
        """Bytes of weights and tables on the fullest GPU of that stage, with the communicator's own."""
        beyond = self.beyond[stage.index] if self.beyond else 0
        return self.case.weights[stage.index] + beyond + (COMMUNICATOR if self.case.tensor > 1 else 0)

    def layout(self, stage: Stage) -> KvLayout:
        return self.pool(stage.index)

    def pool(self, stage: int) -> KvLayout:
        """The block pool of one GPU of that stage."""
        return KvLayout(self.case.block_bytes[stage], tuple(map(_group, self.case.groups)))


@lru_cache(maxsize=65536)
def recorded_answer(server: Server) -> Answer | None:
    """What was recorded; None where nobody asked that release for this model, shape and cache on a card of that
    capability."""
    settings, engine, sharding = server.settings, server.engine, server.sharding
    if settings.block_size != engine.defaults.block_size or settings.unasked_flags or settings.adapter_slots:
        return None
    if settings.draft_tokens and not settings.own_draft:
        # Another model that drafts, or drafts from the prompt, change blocks that nobody asked about.
        return None
    record = record_of(server.model, engine.version)
    if record is None:
        return None
    cache = _ALIKE.get(settings.kv_cache_dtype, settings.kv_cache_dtype)
    way = Way(sharding.tensor, sharding.pipeline, sharding.expert_parallel, cache, settings.draft_tokens)
    case = record.case(server.card.capability, way)
    return None if case is None else Answer(case, _beyond(server))


def _beyond(server: Server) -> tuple[float, ...]:
    model, sharding, settings = server.model, server.sharding, server.settings
    usual = settings.model_copy(
        update={
            "max_num_batched_tokens": default_max_num_batched_tokens(server.card, server.engine),
            "max_num_seqs": default_max_num_seqs(server.card, server.engine),
        }
    )

    kernels = server.engine.kernels_on(server.card.capability)

    def held(stage: Stage, flags: ServeSettings) -> float:
        return buffer_bytes(model, stage, sharding.tensor, flags, kernels)

    return tuple(max(0.0, held(stage, settings) - held(stage, usual)) for stage in stages_of(model, sharding.pipeline))


def recorded_refusal(server: Server) -> str | None:
    """Why vLLM itself does not start so, in its own words; None where it starts, or was not asked."""
    answer = recorded_answer(server)
    if answer is None or answer.case.refusal is None:
        return None
    return f"vLLM {server.engine.version} refuses it: {answer.case.refusal}"


def unasked(server: Server) -> str | None:
    """Why a model that no formula of ours counts cannot be planned so, or None."""
    model, sharding, settings = server.model, server.sharding, server.settings
    if not model.recorded_only:
        return None
    if settings.adapter_slots:
        return f"LoRA adapters of {model.architecture} are not modelled"
    if recorded_answer(server) is not None:
        return None
    if settings.unasked_flags:
        return (
            f"{model.architecture} is planned only from what vLLM's own code says of it, and vLLM's code was asked "
            f"without {', '.join(settings.unasked_flags)}"
        )
    where = f"--model {model.id}" if model.id in MODELS else "--config FILE"
    shape = f"TP {sharding.tensor}, PP {sharding.pipeline}" + (", EP" if sharding.expert_parallel else "")
    return (
        f"{model.architecture} is planned only from what vLLM's own code says of it, and vLLM's code was not asked "
        f"about this shape ({shape}, cache {settings.kv_cache_dtype}, {settings.draft_tokens} drafted tokens, vLLM "
        f"{server.engine.version}); run `python -m oracle record {where} --capability {server.card.capability}`"
    )


def recorded_gib(model: Model) -> float:
    """GiB of all weights as the pinned release holds them, on the fewest GPUs that it was asked about; 0 if on none."""
    record = record_of(model, PINS.vllm)
    cases = [case for said in (record.capabilities.values() if record else ()) for case in said if case.weights]
    if not cases:
        return 0.0
    fewest = min(cases, key=lambda case: case.tensor * case.pipeline)
    return sum(fewest.weights) * fewest.tensor / GIB


def _group(group: RecordedGroup) -> BlockGroup:
    chunked = group.kind == "chunked"
    return BlockGroup(
        group.tables,
        group.tokens,
        window=None if chunked else group.window,
        chunk=group.window if chunked else None,
        constant_blocks=group.blocks,
    )
