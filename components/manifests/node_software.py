"""The common part of all DaemonSets that prepare accelerator nodes."""

from typing import Any

from catalog import HostPath, Taint
from catalog.workloads import workloads
from components.manifests.common import NODE_POOL_LABEL, tolerations
from components.manifests.types import Manifest


def daemon_set(
    name: str, namespace: str, *, node_pools: tuple[str, ...], taints: tuple[Taint, ...], pod: dict[str, Any]
) -> Manifest:
    """A DaemonSet on the nodes of these pools only: other nodes with the same GPU may lack the fabric."""
    labels = {"app.kubernetes.io/name": name}
    expression = {"key": NODE_POOL_LABEL, "operator": "In", "values": list(node_pools)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": workloads().daemon.max_unavailable},
            },
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
                    "tolerations": tolerations(taints),
                    **pod,
                },
            },
        },
    }


def volumes(paths: tuple[HostPath, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": path.name,
            "hostPath": {"path": path.host_path, **({"type": path.type} if path.type else {})},
        }
        for path in paths
    ]


def mounts(paths: tuple[HostPath, ...]) -> list[dict[str, Any]]:
    return [{"name": path.name, "mountPath": path.mount_path} for path in paths]
