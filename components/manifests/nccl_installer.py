"""The DaemonSet that installs an NCCL plugin on each node of a transport, as Google's own installer does."""

import shlex
from typing import Any

from catalog.workloads import workloads
from components.manifests.node_software import daemon_set, mounts, volumes
from components.manifests.types import Manifest
from planning.plan import NcclInstallerPlan

_ENTER_NODE = ("nsenter", "--target", "1", "--mount", "--uts", "--ipc", "--net", "--pid", "--")


def installer(plan: NcclInstallerPlan) -> Manifest:
    """The DaemonSet. It prepares the node and installs in init containers, and then does nothing. It is privileged
    because it writes to the node's disk and kernel settings; the pods that use the plugin need not be."""
    pod: dict[str, Any] = {
        # The kernel settings of the NICs belong to the node's own network.
        "hostNetwork": True,
        "initContainers": [*_prepare(plan), _install(plan)],
        "containers": [
            {
                "name": "pause",
                "image": plan.pause_image.reference,
                "resources": workloads().installer.pause.fields,
            }
        ],
        "volumes": volumes(plan.host_paths),
    }
    if plan.host_preparation:
        # The namespaces of the node's first process are those of the node.
        pod["hostPID"] = True
    return daemon_set(plan.name, plan.namespace, node_pools=plan.node_pools, taints=plan.taints, pod=pod)


def _prepare(plan: NcclInstallerPlan) -> list[dict[str, Any]]:
    """The containers for what needs the node's own tools: kernel modules, its firewall, its mounts."""
    if not plan.host_preparation or plan.host_image is None:
        return []
    return [
        {
            "name": "prepare-node",
            "image": plan.host_image.reference,
            "command": [*_ENTER_NODE, "/bin/sh", "-ec"],
            "args": ["\n".join(plan.host_preparation)],
            "resources": workloads().installer.prepare.fields,
            "securityContext": {"privileged": True},
        }
    ]


def _install(plan: NcclInstallerPlan) -> dict[str, Any]:
    return {
        "name": "install",
        "image": plan.image.reference,
        "command": ["/bin/sh", "-ec"],
        "args": ["\n".join(_script(plan))],
        "resources": workloads().installer.install.fields,
        "securityContext": {"privileged": True},
        "volumeMounts": mounts(plan.host_paths),
    }


def _script(plan: NcclInstallerPlan) -> list[str]:
    """The installer's command line; the plugin's image has only a shell and its own installer."""
    lines = [shlex.join(plan.command)]
    lines += [f"cp -r {copy.source}/. {copy.target}" for copy in plan.copies]
    for key, value in plan.sysctls.items():
        path = f"/proc/sys/{key.replace('.', '/')}"
        # If a node's interfaces have other names, it only logs more, and must still get the plugin.
        lines.append(f"[ ! -e {path} ] || echo {value} > {path}")
    return lines
