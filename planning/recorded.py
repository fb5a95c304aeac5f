"""What vLLM's own code said of a shape: its weights, cache blocks and refusals. Where nobody asked it, nothing."""

from dataclasses import dataclass
from functools import lru_cache

from catalog.model import KvCacheDtype, Model
from catalog.recorded import RecordedCase, RecordedGroup, record_of
from planning.engine import Card, Engine, ServeSettings
from planning.kv_cache import BlockGroup, KvLayout
from planning.weights import COMMUNICATOR, Sharding, Stage

_ALIKE = {KvCacheDtype.FP8_E4M3: KvCacheDtype.FP8, KvCacheDtype.FP8_E5M2: KvCacheDtype.FP8}
"""Names of formats whose blocks are those of another."""


@dataclass(frozen=True)
class Answer:
    """What one release said of one shape on cards of one compute capability."""

    case: RecordedCase

    def weights(self, stage: Stage) -> float:
        """Bytes of weights and tables on the fullest GPU of that stage, with the communicator's own."""
        return self.case.weights[stage.index] + (COMMUNICATOR if self.case.tensor > 1 else 0)

    def layout(self, stage: Stage) -> KvLayout:
        return self.pool(stage.index)

    def pool(self, stage: int) -> KvLayout:
        """The block pool of one GPU of that stage."""
        return KvLayout(self.case.block_bytes[stage], tuple(map(_group, self.case.groups)))


@lru_cache(maxsize=65536)
def recorded_answer(
    model: Model, card: Card, sharding: Sharding, settings: ServeSettings, engine: Engine
) -> Answer | None:
    """None where nobody asked that release for this model, shape and cache on a card of that capability."""
    if settings.block_size != engine.block_size:
        return None
    if settings.draft_tokens and not settings.own_draft:
        # Another model that drafts, or drafts from the prompt, change blocks that nobody asked about.
        return None
    record = record_of(model, engine.version)
    if record is None:
        return None
    cache = _ALIKE.get(settings.kv_cache_dtype, settings.kv_cache_dtype)
    case = record.case(
        card.capability,
        sharding.tensor,
        sharding.pipeline,
        sharding.expert_parallel,
        cache,
        settings.draft_tokens,
    )
    return None if case is None else Answer(case)


def recorded_refusal(
    model: Model, card: Card, sharding: Sharding, settings: ServeSettings, engine: Engine
) -> str | None:
    """Why vLLM itself does not start so, in its own words; None where it starts, or was not asked."""
    answer = recorded_answer(model, card, sharding, settings, engine)
    if answer is None or answer.case.refusal is None:
        return None
    return f"vLLM {engine.version} refuses it: {answer.case.refusal}"


def _group(group: RecordedGroup) -> BlockGroup:
    chunked = group.kind == "chunked"
    return BlockGroup(
        group.tables,
        group.tokens,
        window=None if chunked else group.window,
        chunk=group.window if chunked else None,
        constant_blocks=group.blocks,
    )
