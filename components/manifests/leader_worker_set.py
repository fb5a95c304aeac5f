"""What the LeaderWorkerSet controller is given beside its chart, so that one of its replicas always answers."""

from typing import Any

from components.manifests.common import NODE_POOL_LABEL
from components.manifests.types import Manifest
from planning.plan import LeaderWorkerSetPlan

_CONTROLLER = {"control-plane": "controller-manager"}
"""On the controller's pods by its chart, whose selector it is in too."""


def values(plan: LeaderWorkerSetPlan, system_pool: str) -> dict[str, Any]:
    """Of the chart. Version 0.9 knows no priority, and no version a disruption budget (read 2026-11-28)."""
    apart = {"labelSelector": {"matchLabels": _CONTROLLER}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": apart}]
    return {
        "image": {"manager": {"tag": plan.controller_tag}},
        "nodeSelector": {NODE_POOL_LABEL: system_pool},
        "replicaCount": plan.replicas,
        # A system pool of one node still holds both.
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
    }


def with_priority(deployment: dict[str, Any], priority_class: str) -> dict[str, Any]:
    """The chart's Deployment, its pods with that priority."""
    spec = deployment["spec"]
    template = spec["template"]
    pod = {**template["spec"], "priorityClassName": priority_class}
    return {**deployment, "spec": {**spec, "template": {**template, "spec": pod}}}


def disruption_budget(plan: LeaderWorkerSetPlan) -> Manifest:
    """Drains take one replica at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{plan.name}-controller-manager", "namespace": plan.namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _CONTROLLER}},
    }
