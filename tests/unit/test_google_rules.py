"""Each of Google's rules that we know is broken once, and the plan says so before anything is made."""

from collections import Counter

import pytest

from catalog import sources
from config import ConfigurationError
from config.validate import validate
from planning.platform import plan_platform
from tests.unit.google_rules import NAMESPACE, ROWS, Rule, changed, stack_values


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.id)
def test_what_google_would_refuse_is_refused_at_plan_time_by_its_key(rule: Rule) -> None:
    values = changed(stack_values(rule.stack), rule.changes)
    with pytest.raises(ConfigurationError) as caught:
        plan_platform(validate(rule.stack, values, frozenset(), to_deploy=False), rule.stack)
    said = [str(problem) for problem in caught.value.problems if problem.path == f"{NAMESPACE}:{rule.path}"]
    assert any(rule.text in line for line in said), str(caught.value)


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.id)
def test_only_the_change_breaks_the_rule(rule: Rule) -> None:
    plan = plan_platform(validate(rule.stack, stack_values(rule.stack), frozenset(), to_deploy=False), rule.stack)
    assert plan.node_pools


def test_every_rule_has_a_name_of_its_own_and_a_source_of_the_catalogue() -> None:
    assert Counter(rule.id for rule in ROWS).most_common(1)[0][1] == 1
    assert {rule.source for rule in ROWS} <= set(sources())
