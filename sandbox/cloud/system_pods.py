"""The pods that GKE runs on every node, as one DaemonSet with the requests of all of them, for the scheduler.

It is one pod a node instead of a dozen, since none of them does anything here. Requests of CPU: public lists of the
DaemonSets of a cluster with Dataplane V2 (2025), and `kubectl describe node` of GKE 1.36.3 (2026-10-08), with memory
where it was seen; what is marked (U) was not seen and is a guess. To be safe, a node without GPUs has the pods of a
node with GPUs too.
"""

from typing import Any

from sandbox.cloud.nodes import POOL_LABEL

_REQUESTS = {
    "fluentbit-gke": (105, 230),
    "gke-metadata-server": (100, 100),
    "gke-metrics-agent": (21, 155),
    "ip-masq-agent": (10, 16),
    "netd": (8, 65),
    "node-local-dns": (30, 50),
    "pdcsi-node": (10, 20),
    "gmp-collector": (5, 35),
    "anetd": (205, 300),  # memory (U)
    "nvidia-gpu-device-plugin": (150, 80),
    "dcgm-exporter": (100, 200),  # memory (U)
    "container-watcher": (25, 50),  # memory (U)
    "gcsfusecsi-node": (10, 20),  # (U)
    "secrets-store-gke": (50, 100),  # (U)
}
"""The requests of each: CPU in millicores and memory in MiB."""
NAME = "gke-node-agents"
_IMAGE = "gke.gcr.io/pause:3.10"
_GKE_NODES = {"nodeSelectorTerms": [{"matchExpressions": [{"key": POOL_LABEL, "operator": "Exists"}]}]}


def system_daemon_set() -> dict[str, Any]:
    labels = {"k8s-app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": "kube-system", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "tolerations": [{"operator": "Exists"}],
                    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _GKE_NODES}},
                    "containers": [_container(name, *asked) for name, asked in _REQUESTS.items()],
                },
            },
        },
    }


def _container(name: str, millicores: int, mebibytes: int) -> dict[str, Any]:
    requests = {"cpu": f"{millicores}m", "memory": f"{mebibytes}Mi"}
    return {"name": name, "image": _IMAGE, "resources": {"requests": requests}}
