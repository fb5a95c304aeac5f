"""The DaemonSet that lays an NCCL plugin on each node of a transport, as Google's own installer does."""

import shlex
from typing import Any

from components.manifests.common import ACCELERATOR_LABEL, tolerations
from components.manifests.types import Manifest
from planning.plan import NcclInstallerPlan


def installer(plan: NcclInstallerPlan) -> Manifest:
    """Installs in an init container and then does nothing.

    Privileged because it writes to the node's disk and kernel settings; the pods that use the plugin need not be.
    """
    labels = {"app.kubernetes.io/name": plan.name, "app.kubernetes.io/part-of": "inference-platform"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": plan.name, "namespace": plan.namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    # The kernel settings of the RDMA interfaces are those of the node's own network.
                    "hostNetwork": True,
                    "affinity": {"nodeAffinity": _on_gpus(plan.gpu_types)},
                    "tolerations": tolerations(plan.taints),
                    "initContainers": [_install(plan)],
                    "containers": [
                        {
                            "name": "pause",
                            "image": plan.pause_image,
                            "resources": {
                                "requests": {"cpu": "1m", "memory": "8Mi"},
                                "limits": {"cpu": "10m", "memory": "16Mi"},
                            },
                        }
                    ],
                    "volumes": [
                        {
                            "name": folder.name,
                            "hostPath": {"path": folder.host_path, "type": "DirectoryOrCreate"},
                        }
                        for folder in plan.folders
                    ],
                },
            },
        },
    }


def _install(plan: NcclInstallerPlan) -> dict[str, Any]:
    return {
        "name": "install",
        "image": plan.image,
        "command": ["/bin/sh", "-ec"],
        "args": ["\n".join(_script(plan))],
        "resources": {"requests": {"cpu": "150m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": folder.name, "mountPath": folder.mount_path} for folder in plan.folders],
    }


def _script(plan: NcclInstallerPlan) -> list[str]:
    """The plugin's image has a shell and its own installer, and no more."""
    lines = [shlex.join(plan.command)]
    lines += [f"cp -r {source}/. {target}" for source, target in plan.copies]
    for key, value in plan.sysctls.items():
        path = f"/proc/sys/{key.replace('.', '/')}"
        # A node whose interfaces are named otherwise only logs more; that must not keep the plugin from it.
        lines.append(f"[ ! -e {path} ] || echo {value} > {path}")
    return lines


def _on_gpus(gpu_types: tuple[str, ...]) -> dict[str, Any]:
    expression = {"key": ACCELERATOR_LABEL, "operator": "In", "values": list(gpu_types)}
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    }
