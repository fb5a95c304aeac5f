"""The parts of a pod that uses the fabric between nodes: interfaces, volumes, claims, and a sidecar."""

import json
from typing import Any

from catalog import PodMount, Sidecar
from catalog.workloads import workloads
from components.manifests.common import pull_policy
from planning.plan import PodTransportPlan


def annotations(transport: PodTransportPlan) -> dict[str, str]:
    found: dict[str, str] = {}
    if transport.interfaces:
        interfaces = [{"interfaceName": "eth0", "network": "default"}]
        interfaces += [{"interfaceName": each.interface, "network": each.network} for each in transport.interfaces]
        found["networking.gke.io/default-interface"] = "eth0"
        found["networking.gke.io/interfaces"] = json.dumps(interfaces)
    if transport.sidecar:
        devices = "".join(f"- path: {device}\n" for device in transport.sidecar.devices)
        found[transport.sidecar.device_annotation] = devices
    return found


def volumes(transport: PodTransportPlan) -> list[dict[str, Any]]:
    """The volumes, each name once, even if the sidecar mounts it too."""
    mounts = (*transport.mounts, *(transport.sidecar.mounts if transport.sidecar else ()))
    return list({mount.name: _volume(mount) for mount in mounts}.values())


def server_mounts(transport: PodTransportPlan) -> list[dict[str, Any]]:
    """The volume mounts of the server's container: it may read folders of the node, and write what it shares with the
    sidecar."""
    return [_mount(mount, read_only=mount.host_path is not None) for mount in transport.mounts]


def resources(transport: PodTransportPlan) -> dict[str, str]:
    return dict.fromkeys(transport.zero_resources, "0")


def claims(transport: PodTransportPlan) -> list[dict[str, str]]:
    return [{"name": claim.name, "resourceClaimTemplateName": claim.template} for claim in transport.claims]


def sidecar(transport: PodTransportPlan) -> list[dict[str, Any]]:
    """The sidecar, as Kubernetes defines it: it is started before the server, ended after it, and gets no RDMA
    device."""
    if transport.sidecar is None:
        return []
    plan = transport.sidecar
    amounts = {
        "cpu": str(transport.sidecar_cpus),
        "memory": f"{transport.sidecar_memory_gib}Gi",
        "ephemeral-storage": workloads().sidecar.scratch,
    }
    return [
        {
            "name": plan.name,
            "image": plan.image.reference,
            "imagePullPolicy": pull_policy(plan.image.reference),
            "restartPolicy": "Always",
            "command": list(plan.command),
            "env": [{"name": name, "value": value} for name, value in plan.environment.items()],
            "resources": {"requests": amounts, "limits": amounts},
            "securityContext": _as_root(plan),
            "volumeMounts": [_mount(mount, read_only=False) for mount in plan.mounts],
        }
    ]


def _as_root(plan: Sidecar) -> dict[str, Any]:
    """The security context of the sidecar, which configures the pod's NICs and writes to its own root file system."""
    return {
        "runAsUser": 0,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": list(plan.capabilities)},
    }


def _volume(mount: PodMount) -> dict[str, Any]:
    if mount.host_path is None:
        return {"name": mount.name, "emptyDir": {"sizeLimit": workloads().sidecar.shared}}
    return {"name": mount.name, "hostPath": {"path": mount.host_path}}


def _mount(mount: PodMount, *, read_only: bool) -> dict[str, Any]:
    plain = {"name": mount.name, "mountPath": mount.mount_path}
    return {**plain, "readOnly": True} if read_only else plain
