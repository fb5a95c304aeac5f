"""Rules for what a preview must never contain: plain functions over resources, one module for each subject.

The policy pack, the tests of the graph and the report of a change apply the same rules. A rule does not see the
operation, so the report tells what must not be replaced or deleted, and the Pulumi engine's protection prevents it.
"""

from policy import capacity, identity, images, labels, network, protection, secret_values
from policy.resources import SECRET_MARK, Resource, Stack
from policy.rule import Finding, Level, Rule, findings_of

RULES: tuple[Rule, ...] = (
    *network.RULES,
    *identity.RULES,
    *images.RULES,
    *secret_values.RULES,
    *protection.RULES,
    *capacity.RULES,
    *labels.RULES,
)


def check(stack: Stack) -> list[Finding]:
    """All findings of all rules in a stack."""
    return [finding for rule in RULES for finding in findings_of(rule, stack)]


__all__ = ["RULES", "SECRET_MARK", "Finding", "Level", "Resource", "Rule", "Stack", "check", "findings_of"]
