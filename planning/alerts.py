"""Decides who hears of trouble, and of which."""

from collections.abc import Iterable
from string import Template

from catalog import ALERTS
from config.settings import Settings
from planning.errors import Findings
from planning.plan import AlertPolicyPlan, AlertsPlan


def plan_alerts(settings: Settings, cluster: str, namespaces: Iterable[str], findings: Findings) -> AlertsPlan | None:
    wanted = settings.alerts
    if wanted is None:
        return None
    if not settings.cluster.managed_prometheus:
        findings.refuse(
            "alerts",
            "watch what managed Prometheus collects, and it is off",
            "Write cluster.managedPrometheus: true, or leave alerts out",
        )
    filled = {"cluster": cluster, "namespaces": "|".join(namespaces)}
    return AlertsPlan(
        emails=wanted.emails,
        channels=wanted.channels,
        policies=tuple(
            AlertPolicyPlan(
                name=alert.name,
                title=f"{cluster}: {alert.title}",
                severity=alert.severity,
                seconds=60 * alert.for_minutes,
                query=Template(alert.query).substitute(filled),
                advice=alert.advice,
            )
            for alert in ALERTS.values()
        ),
    )
