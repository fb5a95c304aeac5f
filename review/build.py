"""Combines events and plans: what changes in which part of the stack, how serious it is, and what comes first."""

from dataclasses import dataclass

from review.base import Planned
from review.events import GRAVITY, STACK_TYPE, Action, EventLog, ResourceChange, Violation
from review.graph import Node, stack_graph
from review.plans import PlanView
from review.verdict import Statement, statements

_FIRST = {"GkeCluster": 0, "AcceleratorNodePool": 1}
"""If parts are affected equally, those that people ask about come first."""


@dataclass(frozen=True)
class Part:
    """A component at the top of the stack, and its changes, the most serious first."""

    kind: str
    name: str
    changes: tuple[ResourceChange, ...]

    @property
    def action(self) -> Action:
        """The most serious action of its changes."""
        actions = (Action.UPDATE if change.runs_again else change.action for change in self.changes)
        return min(actions, key=GRAVITY.__getitem__, default=Action.SAME)


@dataclass(frozen=True)
class Review:
    """All that a report says, in whatever form."""

    stack: str
    base: str
    """The name of what the change is compared with."""
    base_problem: str
    """The reason for which the base has no plan or no state; empty if it has both."""
    before: PlanView | None
    after: PlanView | None
    after_problem: str
    log: EventLog
    violations: tuple[Violation, ...]
    parts: tuple[Part, ...]
    graph: tuple[Node, ...]
    statements: tuple[Statement, ...]
    """The statements, the most serious first; there is at least one."""


def build_review(stack: str, log: EventLog, before: Planned, after: Planned, base: str = "the base") -> Review:
    """Makes the report; `base` is the name of what the change is compared with."""
    broken = {(found.rule, found.resource): found for found in log.violations}
    parts = _parts(log)
    return Review(
        stack=stack,
        base=base,
        base_problem=before.problem,
        before=before.plan,
        after=after.plan,
        after_problem=after.problem,
        log=log,
        violations=tuple(sorted(broken.values(), key=lambda found: (not found.mandatory, found.rule, found.resource))),
        parts=parts,
        graph=stack_graph(before.plan, after.plan, {(part.kind, part.name): part.action for part in parts}),
        statements=statements(log, before.plan, after.plan, tuple(broken.values())),
    )


def _parts(log: EventLog) -> tuple[Part, ...]:
    resources = {resource.urn: resource for resource in log.resources}
    grouped: dict[str, list[ResourceChange]] = {}
    for change in log.changed:
        if change.custom:
            grouped.setdefault(_top(change, resources), []).append(change)
    parts = [
        Part(
            kind=_kind(urn),
            name=urn.rsplit("::", 1)[-1],
            changes=tuple(sorted(changes, key=lambda one: (GRAVITY[one.action], one.kind, one.name))),
        )
        for urn, changes in grouped.items()
    ]
    return tuple(sorted(parts, key=lambda part: (GRAVITY[part.action], _FIRST.get(part.kind, 2), part.kind, part.name)))


def _top(change: ResourceChange, resources: dict[str, ResourceChange]) -> str:
    """The component directly under the stack; a resource without one stands for itself."""
    urn = change.urn
    above = change.parent
    while above and f"::{STACK_TYPE}::" not in above:
        urn = above
        known = resources.get(above)
        # A component without a change may be missing in the events; its URN still names it.
        above = known.parent if known else ""
    return urn


def _kind(urn: str) -> str:
    type_ = urn.split("::")[2].split("$")[-1]
    return type_.rsplit(":", 1)[-1]
