"""What LeaderWorkerSet's controller gets beside its chart, so that one of its replicas always answers."""

from typing import Any

from components.manifests.common import NODE_POOL_LABEL
from components.manifests.types import Manifest
from planning.plan import LeaderWorkerSetPlan

_CONTROLLER = {"control-plane": "controller-manager"}
"""The label that the chart puts on the controller's pods and in its selector."""


def values(plan: LeaderWorkerSetPlan, system_pool: str) -> dict[str, Any]:
    """The values of the chart. Version 0.9 has no value for a priority, and no version has one for a disruption budget
    (read 2026-11-28)."""
    apart = {"labelSelector": {"matchLabels": _CONTROLLER}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": apart}]
    return {
        "image": {"manager": {"tag": plan.controller_tag}},
        "nodeSelector": {NODE_POOL_LABEL: system_pool},
        "replicaCount": plan.replicas,
        # On a system pool of one node both still fit.
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
    }


def with_priority(deployment: dict[str, Any], priority_class: str) -> dict[str, Any]:
    """The chart's Deployment with that priority on its pods."""
    spec = deployment["spec"]
    template = spec["template"]
    pod = {**template["spec"], "priorityClassName": priority_class}
    return {**deployment, "spec": {**spec, "template": {**template, "spec": pod}}}


def with_scopes(configuration: dict[str, Any]) -> dict[str, Any]:
    """The chart's webhooks with the scope of their rules, which the API server fills in as `*`.

    Server-side apply compares a list of rules whole: made twice, as after a kill between the creation and the engine's
    note of it, the chart's words conflict with what the server made of them (Kubernetes 1.36, seen on 2026-11-29).
    """
    webhooks = [
        {**webhook, "rules": [{"scope": "*", **rule} for rule in webhook["rules"]]}
        for webhook in configuration["webhooks"]
    ]
    return {**configuration, "webhooks": webhooks}


def disruption_budget(plan: LeaderWorkerSetPlan) -> Manifest:
    """The disruption budget: drains evict one replica at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{plan.name}-controller-manager", "namespace": plan.namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _CONTROLLER}},
    }
