"""Defines what a rule is, and applies rules to a stack."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from policy.resources import Resource, Stack


class Level(StrEnum):
    MANDATORY = "mandatory"
    ADVISORY = "advisory"


Check = Callable[[Resource, Stack], Iterable[str]]
"""Returns a sentence for each mistake in one resource of a stack; none if it is right, or not yet known."""
StackCheck = Callable[[Stack], Iterable[tuple[Resource | None, str]]]
"""The same for mistakes that can be seen only in all resources together."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule with its reason, and an example of each side that its test and a real Pulumi engine check.

    Examples are whole stacks, so that a rule about production has one too.
    """

    id: str
    level: Level
    reason: str
    failing: Stack
    passing: Stack
    check: Check | None = None
    check_stack: StackCheck | None = None

    @property
    def mandatory(self) -> bool:
        return self.level is Level.MANDATORY


@dataclass(frozen=True)
class Finding:
    rule: Rule
    resource: Resource | None
    message: str


def findings_of(rule: Rule, stack: Stack) -> list[Finding]:
    found: list[Finding] = []
    if rule.check:
        found += [
            Finding(rule, resource, message) for resource in stack.resources for message in rule.check(resource, stack)
        ]
    if rule.check_stack:
        found += [Finding(rule, resource, message) for resource, message in rule.check_stack(stack)]
    return found


def stack_of(*resources: Resource, name: str = "example") -> Stack:
    return Stack(name=name, resources=resources)
