"""Objects of dynamic resource allocation: how many devices a pod claims, and which nodes share memory over NVLink."""

from components.manifests.types import Manifest
from planning.plan import ComputeDomainPlan, DeviceClaimTemplate


def claim_template(plan: DeviceClaimTemplate, namespace: str) -> Manifest:
    """The template of a claim; each pod that names it gets a claim of its own."""
    how_many = (
        {"allocationMode": "All"} if plan.count is None else {"allocationMode": "ExactCount", "count": plan.count}
    )
    request = {"name": "devices", "exactly": {"deviceClassName": plan.device_class, **how_many}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": plan.template, "namespace": namespace},
        "spec": {"spec": {"devices": {"requests": [request]}}},
    }


def compute_domain(plan: ComputeDomainPlan) -> Manifest:
    """The NVLink domain of a group. The driver joins the nodes on which its channel is claimed, and makes the template
    of that claim."""
    return {
        "apiVersion": "resource.nvidia.com/v1beta1",
        "kind": "ComputeDomain",
        "metadata": {"name": plan.name, "namespace": plan.namespace},
        # It has no number of nodes, since each daemon starts by itself and vLLM waits for its own peers.
        "spec": {"numNodes": 0, "channel": {"resourceClaimTemplate": {"name": plan.channel_template}}},
    }


def system_pods_quota(name: str, namespace: str, pods: int) -> Manifest:
    """The quota without which GKE admits no pods of a system priority outside kube-system."""
    priorities = ["system-node-critical", "system-cluster-critical"]
    expression = {"scopeName": "PriorityClass", "operator": "In", "values": priorities}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hard": {"pods": str(pods)}, "scopeSelector": {"matchExpressions": [expression]}},
    }
