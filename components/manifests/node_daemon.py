"""A privileged DaemonSet that a transport needs on its nodes: a device injector, a daemon that sets up NICs."""

from typing import Any

from catalog.workloads import workloads
from components.manifests.node_software import daemon_set, mounts, volumes
from components.manifests.types import Manifest
from planning.plan import NodeDaemonPlan


def daemon(plan: NodeDaemonPlan) -> Manifest:
    """The DaemonSet. It runs in the node's own namespaces, whose devices and NICs it hands out."""
    memory = f"{plan.memory_mib}Mi"
    limits = {"memory": memory}
    container: dict[str, Any] = {
        "name": plan.name,
        "image": plan.image.reference,
        "env": [{"name": name, "value": value} for name, value in plan.environment.items()],
        "resources": {"requests": {"cpu": workloads().daemon.cpu, "memory": memory}, "limits": limits},
        "securityContext": {"privileged": True},
        "volumeMounts": mounts(plan.host_paths),
    }
    if plan.command:
        container["command"] = list(plan.command)
    if plan.huge_pages_mib:
        # Huge pages are never overcommitted, so the request is the limit too.
        pages = {"hugepages-2Mi": f"{plan.huge_pages_mib}Mi"}
        container["resources"]["requests"] |= pages
        container["resources"]["limits"] = {**limits, **pages}
    if plan.health_port:
        container["livenessProbe"] = {
            "httpGet": {"path": "/healthz", "port": plan.health_port},
            **workloads().daemon.health.fields,
        }
    pod: dict[str, Any] = {
        "hostNetwork": True,
        "hostPID": True,
        "containers": [container],
        "volumes": volumes(plan.host_paths),
    }
    return daemon_set(plan.name, plan.namespace, node_pools=plan.node_pools, taints=plan.taints, pod=pod)
