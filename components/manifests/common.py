"""Pieces that more than one kind of object needs."""

from collections.abc import Iterable
from typing import Any

from components.manifests.types import Manifest, Toleration
from planning.plan import Taint

ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"


def tolerations(taints: Iterable[Taint]) -> list[Toleration]:
    """Exactly the taints of the pool: a toleration too many would let a pod onto nodes that are not meant for it."""
    return [{"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect} for taint in taints]


def namespace(name: str, labels: dict[str, str] | None = None) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}


def restricted() -> dict[str, Any]:
    """The container security context that Pod Security's `restricted` profile asks for."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
