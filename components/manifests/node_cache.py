"""The DaemonSet that makes the folders of a node's cache, and empties those that no server uses."""

from typing import Any

from catalog.workloads import workloads
from components.manifests.common import pull_policy
from components.manifests.node_software import daemon_set
from components.manifests.programs import source
from components.manifests.types import Manifest
from planning.plan import NodeCachePlan

_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
"""What root needs to give folders to the servers' user and to delete what that user has written."""


def node_cache(plan: NodeCachePlan) -> Manifest:
    """The DaemonSet. It is root, since folders of the node belong to root, and sees no folder but the local SSDs'."""
    amounts = workloads().node_cache.amounts
    container: dict[str, Any] = {
        "name": "node-cache",
        "image": plan.image,
        "imagePullPolicy": pull_policy(plan.image),
        "command": ["python3", "-c", source("node_cache")],
        "args": [
            plan.root,
            *plan.folders,
            f"--user={workloads().server.user}",
            f"--bound={plan.bound_gib}",
            f"--kernels={plan.kernels_gib}",
        ],
        # So much of the local SSDs is taken, although no volume of a pod says so.
        "resources": {
            "requests": {**amounts, "ephemeral-storage": f"{plan.bound_gib}Gi"},
            "limits": {**amounts, "ephemeral-storage": f"{plan.bound_gib}Gi"},
        },
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": list(_CAPABILITIES)},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "local-ssd", "mountPath": plan.local_ssd}],
    }
    pod = {
        "containers": [container],
        "volumes": [{"name": "local-ssd", "hostPath": {"path": plan.local_ssd, "type": "Directory"}}],
    }
    return daemon_set(plan.name, plan.namespace, node_pools=plan.node_pools, taints=plan.taints, pod=pod)
