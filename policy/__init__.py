"""What a preview must never contain: rules as plain functions over resources, one module a theme.

The policy pack, the graph's tests and the report of a change ask the same ones. A rule sees no operation, so what must
not be replaced or deleted is said by the report and kept by the engine's own protection.
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
    """Everything that any rule finds wrong with the stack."""
    return [finding for rule in RULES for finding in findings_of(rule, stack)]


__all__ = ["RULES", "SECRET_MARK", "Finding", "Level", "Resource", "Rule", "Stack", "check", "findings_of"]
