"""Says how far a plan's memory can be trusted, and why: measured, by vLLM's own code, or extrapolated."""

from dataclasses import dataclass

from catalog import Basis
from catalog.model import ChunkedAttention, Stateful
from planning.server import Server


@dataclass(frozen=True)
class Trust:
    """A basis and its reason, for people."""

    basis: Basis
    why: str


def trust_in(server: Server, *, recorded: bool) -> Trust:
    """Measured is what the measurements covered: a release and card, a few ranks, 16-bit weights and cache, text."""
    card, settings, engine = server.card, server.settings, server.engine
    lacks = _not_measured(server)
    if not lacks:
        return Trust(Basis.MEASURED, f"vLLM {engine.version} was measured on {card.name} with models of this kind")
    missing = ", ".join(lacks)
    if settings.unasked_flags:
        flags = ", ".join(settings.unasked_flags)
        return Trust(
            Basis.EXTRAPOLATED,
            f"nobody measured {missing}, and vLLM {engine.version}'s own code was asked without {flags}, which may "
            "change weights or cache",
        )
    if recorded:
        return Trust(
            Basis.RECORDED,
            f"weights and cache blocks are by vLLM {engine.version}'s own code for compute capability "
            f"{card.capability}; the overhead is extrapolated, since nobody measured {missing}",
        )
    return Trust(
        Basis.EXTRAPOLATED,
        f"nobody measured {missing}, nor asked vLLM {engine.version}'s own code for this model and shape on compute "
        f"capability {card.capability}",
    )


def _not_measured(server: Server) -> list[str]:
    model, card, sharding, settings, engine = server.model, server.card, server.sharding, server.settings, server.engine
    kinds = [group for group in model.attention if isinstance(group, Stateful | ChunkedAttention)]
    reasons = {
        f"vLLM {engine.version}": not engine.measured_cards,
        card.name: not card.measured or (bool(engine.measured_cards) and card.name not in engine.measured_cards),
        "quantised weights": model.quantization is not None,
        "images": model.vision is not None,
        "linear, state-space or chunked layers": bool(kinds),
        model.architecture: bool(engine.measured_cards) and model.architecture not in engine.measured_architectures,
        "a model whose shape is not wholly known": not model.counted,
        f"a cache in {settings.kv_cache_dtype}": settings.kv_cache_dtype.quantised,
        f"TP {sharding.tensor}": sharding.tensor > engine.measured_tensor,
        f"PP {sharding.pipeline}": sharding.pipeline > 1,
        "expert parallel": sharding.expert_parallel,
        "adapters": bool(settings.adapter_slots),
        "a draft model": bool(settings.draft_gib) or bool(settings.draft_tokens),
        "its flags": bool(settings.unasked_flags),
    }
    return [reason for reason, holds in reasons.items() if holds]
