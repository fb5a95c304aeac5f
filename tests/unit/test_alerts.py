"""Alerts reach who is named, and watch what is really collected."""

import re
from typing import Any

import pytest

from catalog import ALERTS
from catalog.google import google_platform
from config.validate import validate
from planning.plan import AlertsPlan
from planning.platform import plan_platform
from planning.report import sections, to_text
from sandbox.models.metrics import Metrics
from tests.unit.google_rules import changed, stack_values

_METRIC = re.compile(r"\b((?:vllm|kubernetes_io):\w+|kube_\w+)\b")


def planned(**changes: Any) -> AlertsPlan | None:
    values = changed(stack_values("dev"), changes)
    return plan_platform(validate("dev", values, frozenset(), to_deploy=False), "dev").alerts


def test_without_recipients_nothing_is_watched() -> None:
    assert planned() is None


def test_the_plan_says_who_is_told() -> None:
    values = changed(stack_values("dev"), {"alerts": {"emails": ["oncall@example.com"]}})
    plan = plan_platform(validate("dev", values, frozenset(), to_deploy=False), "dev")
    assert "alerts go to oncall@example.com" in to_text(sections(plan, "dev"))


def test_every_alert_is_of_this_cluster_and_of_its_servers_namespaces() -> None:
    plan = planned(alerts={"emails": ["oncall@example.com"]})
    assert plan and [policy.name for policy in plan.policies] == list(ALERTS)
    for policy in plan.policies:
        assert '"dev-cluster"' in policy.query and "$" not in policy.query
        assert ("namespace" in policy.query) == ('=~"serving"' in policy.query)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_for_metrics_that_are_collected(name: str) -> None:
    metrics = set(_METRIC.findall(ALERTS[name].query))
    exposed = Metrics("m").text().decode()
    components = google_platform().monitoring.prometheus_components
    assert metrics
    for metric in metrics:
        match metric.split("_")[0].split(":")[0]:
            case "vllm":
                assert f"# TYPE {metric} gauge" in exposed
            case "kube":
                assert metric.split("_")[1].upper() in components
            case _:
                assert "SYSTEM_COMPONENTS" in google_platform().monitoring.components


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"alerts": {}}, "alerts: nobody would be told; write emails or channels"),
        ({"alerts": {"emails": ["nobody"]}}, r"alerts\.emails\[0\]"),
        ({"alerts": {"channels": ["slack"]}}, r"alerts\.channels\[0\]"),
        (
            {"alerts": {"emails": ["oncall@example.com"]}, "cluster.managedPrometheus": False},
            "alerts: watch what managed Prometheus collects, and it is off. Write cluster.managedPrometheus: true",
        ),
    ],
)
def test_what_would_tell_nobody_is_refused(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        planned(**changes)
