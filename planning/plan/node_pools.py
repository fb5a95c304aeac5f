"""Accelerator node pools, and what is laid on their nodes."""

from enum import StrEnum
from typing import Any

from planning.plan.decision import Decision, Taint


class Provisioning(StrEnum):
    """How the machines of a pool are obtained."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"
    RESERVATION = "reservation"
    FLEX_START = "flexStart"


class UpgradePlan(Decision):
    """How GKE brings a pool's nodes to another version."""

    max_surge: int
    """Nodes more than the pool has, at a time."""
    max_unavailable: int


class ReservationPlan(Decision):
    project: str | None
    """None: the stack's own."""
    path: str
    """From the reservation's name on, block and sub-block included."""


class PlacementPlan(Decision):
    """Machines that stand close together."""

    policy: str | None
    """Name of a workload policy that is made for the pool; None: GKE's own compact placement."""
    accelerator_topology: str | None
    """Of that policy."""


class NodePoolPlan(Decision):
    name: str
    exists: bool
    """It is somebody else's, in a cluster that the stack joins: read and checked, never changed."""
    machine_type: str
    zone: str
    nodes: int
    """That the pool has, or begins with where it scales by itself."""
    min_nodes: int
    max_nodes: int
    """What its models may count on. More than `min_nodes`: the autoscaler brings them as pods ask."""
    waits: bool
    """The reservation has not begun, so there are no nodes yet and nothing is put on them."""
    provisioning: Provisioning
    reservation: ReservationPlan | None
    max_run_seconds: int | None
    """After which Google takes a node back."""
    placement: PlacementPlan | None
    gpu_type: str
    gpus_per_node: int
    gpu_driver_version: str
    max_pods_per_node: int
    boot_disk_type: str
    boot_disk_size_gib: int
    secondary_boot_disk: str | None
    """A disk image that serves as a cache of container images."""
    image_streaming: bool
    local_ssds: int
    """Disks of 375 GiB that become the nodes' ephemeral storage; 0 leaves that on the boot disk."""
    huge_pages: int | None
    """Pages of 2 MiB that are set aside."""
    secure_boot: bool
    auto_repair: bool
    upgrade: UpgradePlan | None
    """None: the nodes live out their time and only new ones have a new version, which GKE chooses by itself."""
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    uses_fabric: bool
    accelerator_network_profile: str | None
    """`auto`: Google makes the fabric's networks itself."""

    @property
    def scales(self) -> bool:
        return self.min_nodes < self.max_nodes

    @property
    def nodes_at_once(self) -> int:
        """At most, those included that an upgrade adds."""
        return self.max_nodes + (self.upgrade.max_surge if self.upgrade else 0)


class HostFolder(Decision):
    """A folder of the node, and where a container sees it."""

    name: str
    host_path: str
    mount_path: str
    type: str | None


class NcclInstallerPlan(Decision):
    """The DaemonSet that lays a transport's NCCL plugin on the nodes."""

    name: str
    namespace: str
    image: str
    pause_image: str
    command: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    """Folders whose contents the installer copies, from and to."""
    host_image: str | None
    """With the tools that enter the node's own namespaces for `host_preparation`; None: nothing to prepare."""
    host_preparation: tuple[str, ...]
    sysctls: dict[str, str]
    folders: tuple[HostFolder, ...]
    node_pools: tuple[str, ...]
    taints: tuple[Taint, ...]


class NodeDaemonPlan(Decision):
    """A privileged DaemonSet that a transport needs on its nodes beside the installer."""

    name: str
    namespace: str
    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    folders: tuple[HostFolder, ...]
    memory_mib: int
    huge_pages_mib: int | None
    health_port: int | None
    node_pools: tuple[str, ...]
    taints: tuple[Taint, ...]


class DraDriverPlan(Decision):
    """NVIDIA's DRA driver, which joins the nodes of a ComputeDomain."""

    name: str
    namespace: str
    chart: str
    version: str
    values: dict[str, Any]
    gpu_types: tuple[str, ...]
    taints: tuple[Taint, ...]
    pods: int
    """That its namespace may have at the priority of system pods, without which GKE refuses them."""
