"""Puts a model with a service objective on the pool that meets it at the lowest price."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.engine import EngineSettings
from config.objective import ServiceObjective
from planning.errors import Findings
from planning.performance.expected import ExpectedService
from planning.performance.steps import LibraryMissing
from planning.pools import ResolvedPool
from planning.shape import ShapePlan, ShapeQuestion, ShapeRefused

if TYPE_CHECKING:
    from planning.performance.choice import ServiceChoice

_NOT_TIMED = ("attention_backend", "compilation_config", "performance_mode")
"""Arguments of vLLM that change which kernels run."""


@dataclass(frozen=True)
class OnPool:
    """A pool, and what is asked of it."""

    pool: ResolvedPool
    question: ShapeQuestion


def choose_pool(
    objective: ServiceObjective, engine: EngineSettings, asked: list[OnPool], path: str, findings: Findings
) -> tuple[ResolvedPool, ShapePlan, ExpectedService] | None:
    """The cheapest that meets the objective; if none does, a refusal that says of each what is the nearest."""
    # Most stacks have no objective, and their plans should not wait for what it takes to meet one.
    from planning.performance.choice import choose_service

    own = f"{path}.serviceObjective"
    unknown = list(_unknown(engine, prefix=objective.prefix_tokens > 0))
    for field, why in unknown:
        findings.refuse(f"{path}.engine.{field}", why, f"Leave it out, or leave out {own}")
    if unknown:
        return None
    found: list[tuple[ServiceChoice, OnPool]] = []
    refusals: list[str] = []
    for each in asked:
        try:
            choice = choose_service(each.question, objective)
        except ShapeRefused as refusal:
            refusals.append(refusal.message)
            continue
        except LibraryMissing as missing:
            findings.refuse(own, str(missing))
            return None
        room = each.pool.settings.nodes.max * each.pool.machine.gpus
        gpus = choice.shape.gpus * choice.shape.replicas
        if gpus > room and len(asked) > 1:
            refusals.append(f"pool {each.pool.name} has {room} GPUs, and the objective takes {gpus} of them")
            continue
        found.append((choice, each))
    if not found:
        findings.refuse(own, "; ".join(refusals), "python -m planning choose --service-objective asks all accelerators")
        return None
    choice, on = min(found, key=lambda each: each[0].order)
    return on.pool, choice.shape, choice.expected


def _unknown(engine: EngineSettings, *, prefix: bool) -> Iterator[tuple[str, str]]:
    """Arguments under which the speed is not known, by the field's name in a stack file, and why."""
    for field in _NOT_TIMED:
        if getattr(engine, field) is not None:
            alias = EngineSettings.model_fields[field].alias or field
            yield alias, "runs other kernels than those that were timed: how fast it serves is unknown"
    if engine.enable_chunked_prefill is False:
        yield "enableChunkedPrefill", "the estimates are of a server that fills its steps with parts of prompts"
    if engine.enable_prefix_caching is False and prefix:
        yield "enablePrefixCaching", "is off, and cachedPrefixShare counts on it"
