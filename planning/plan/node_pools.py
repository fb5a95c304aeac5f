"""Accelerator node pools, and what is laid on their nodes."""

from enum import StrEnum

from planning.plan.decision import Decision, Taint


class Provisioning(StrEnum):
    """How the machines of a pool are had."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"


class NodePoolPlan(Decision):
    name: str
    machine_type: str
    zone: str
    nodes: int
    provisioning: Provisioning
    gpu_type: str
    gpus_per_node: int
    gpu_driver_version: str
    max_pods_per_node: int
    boot_disk_type: str
    boot_disk_size_gib: int
    local_ssds: int
    """Disks of 375 GiB that become the nodes' ephemeral storage; 0 leaves that on the boot disk."""
    taints: tuple[Taint, ...]
    uses_fabric: bool


class HostFolder(Decision):
    """A folder of the node, and where a container sees it."""

    name: str
    host_path: str
    mount_path: str


class NcclInstallerPlan(Decision):
    """The DaemonSet that lays a transport's NCCL plugin on the nodes."""

    name: str
    namespace: str
    image: str
    pause_image: str
    command: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    """Folders whose contents the installer copies, from and to."""
    sysctls: dict[str, str]
    folders: tuple[HostFolder, ...]
    gpu_types: tuple[str, ...]
    taints: tuple[Taint, ...]
