"""Google's rules that we know, as data: what breaks each, and what the plan says to it.

`changes` are made to a shipped stack file, by dotted path; None takes a key away. Other tests import ROWS to see what
the stand-in for Google says when the plan's check is bypassed.
"""

from tests.unit.google_capacity_rules import CAPACITY_ROWS
from tests.unit.google_machine_rules import MACHINE_ROWS
from tests.unit.google_rule import CHECKOUT, NAMESPACE, Rule, changed, pool, stack_values

ROWS: list[Rule] = [*CAPACITY_ROWS, *MACHINE_ROWS]

__all__ = ["CHECKOUT", "NAMESPACE", "ROWS", "Rule", "changed", "pool", "stack_values"]
