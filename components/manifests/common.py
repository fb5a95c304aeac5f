"""Pieces that more than one kind of object needs."""

from collections.abc import Iterable
from typing import Any

from components.manifests.types import Manifest, Toleration
from planning.plan import PriorityClassPlan, Taint

ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"


def tolerations(taints: Iterable[Taint]) -> list[Toleration]:
    """Exactly the taints of the pool: a toleration too many would let a pod onto nodes that are not meant for it."""
    return [{"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect} for taint in taints]


def namespace(name: str, labels: dict[str, str] | None = None) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}


def priority_class(plan: PriorityClassPlan) -> Manifest:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": plan.name},
        "value": plan.value,
        "preemptionPolicy": "PreemptLowerPriority",
        "description": "Model servers: a replacement takes the GPUs of jobs and experiments, and waits for no one.",
    }


def pod_identity(user: int) -> dict[str, Any]:
    """The pod security context that Pod Security's `restricted` profile asks for."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted() -> dict[str, Any]:
    """The container security context that Pod Security's `restricted` profile asks for."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def pull_policy(reference: str) -> str:
    """A digest is the same image for ever; a tag may be moved, and is asked for at each start."""
    return "IfNotPresent" if "@" in reference else "Always"


def equal_resources(amounts: dict[str, str]) -> dict[str, Any]:
    """Requests equal limits, so that the pod is Guaranteed and the last to be evicted."""
    return {"requests": amounts, "limits": amounts}


def scratch(name: str, gib: int) -> dict[str, Any]:
    """An emptyDir: on GKE's ephemeral local SSD where the node has one, else on its boot disk."""
    return {"name": name, "emptyDir": {"sizeLimit": f"{gib}Gi"}}


def memory_backed(name: str, gib: int) -> dict[str, Any]:
    """An emptyDir whose contents count against the memory limit of the pod."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{gib}Gi"}}
