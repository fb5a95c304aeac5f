"""The DaemonSet that pulls the servers' images onto nodes, so that no server waits for its own."""

from typing import Any

from catalog.workloads import workloads
from components.manifests.common import pod_identity, pull_policy, restricted
from components.manifests.node_software import daemon_set
from components.manifests.types import Manifest
from planning.plan import PrePullPlan


def pre_pull(plan: PrePullPlan) -> Manifest:
    """The DaemonSet. Its pods are ready when all images are there, and then only hold them: a kubelet that needs room
    deletes images that no container uses."""
    containers = [_container(f"image-{number}", image) for number, image in enumerate(plan.images, 1)]
    pod = {
        "containers": containers,
        "securityContext": pod_identity(workloads().server.user),
        # It has nothing to end in order.
        "terminationGracePeriodSeconds": 1,
    }
    return daemon_set(plan.name, plan.namespace, node_pools=plan.node_pools, taints=plan.taints, pod=pod)


def _container(name: str, image: str) -> dict[str, Any]:
    amounts = workloads().pre_pull.amounts
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy(image),
        "command": ["sleep", "infinity"],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": restricted(),
    }
