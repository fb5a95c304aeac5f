"""Pieces that more than one kind of object needs."""

from collections.abc import Iterable
from typing import Any

from catalog import Taint
from components.manifests.types import Manifest, Toleration
from planning.plan import PriorityClassPlan

ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"


def tolerations(taints: Iterable[Taint]) -> list[Toleration]:
    """Tolerations for exactly the pool's taints: with one too many, a pod could run on nodes that are not meant for
    it."""
    return [
        {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect.value} for taint in taints
    ]


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
    """The pull policy: an image with a digest never changes; a tag may be moved, so the registry is asked at each
    start."""
    return "IfNotPresent" if "@" in reference else "Always"


def equal_resources(amounts: dict[str, str]) -> dict[str, Any]:
    """Resources with requests equal to limits, so that the pod is Guaranteed and evicted last."""
    return {"requests": amounts, "limits": amounts}


def scratch(name: str, gib: int) -> dict[str, Any]:
    """An emptyDir volume: on the local SSDs if the node uses them for ephemeral storage, else on its boot disk."""
    return {"name": name, "emptyDir": {"sizeLimit": f"{gib}Gi"}}


def memory_backed(name: str, gib: int) -> dict[str, Any]:
    """An emptyDir volume whose contents count against the pod's memory limit."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{gib}Gi"}}


def node_folder(name: str, path: str) -> dict[str, Any]:
    """A volume of a folder that something else has made on the node; until it is there, the pod waits."""
    return {"name": name, "hostPath": {"path": path, "type": "Directory"}}
