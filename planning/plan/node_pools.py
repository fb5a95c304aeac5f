"""Accelerator node pools, and the software that is installed on their nodes."""

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
    """How GKE upgrades a pool's nodes."""

    max_surge: int
    """The number of nodes that an upgrade may add at a time."""
    max_unavailable: int


class ReservationPlan(Decision):
    project: str | None
    """The project that owns it; None: the stack's own."""
    path: str
    """The path from the reservation's name on, with block and sub-block if they are named."""


class PlacementPlan(Decision):
    """How close together the pool's machines are."""

    policy: str | None
    """The name of a workload policy that is made for the pool; None: GKE's own compact placement is used."""
    accelerator_topology: str | None
    """The accelerator topology of that policy."""


class NodePoolPlan(Decision):
    name: str
    exists: bool
    """Whether it is an existing pool of a cluster that the stack joins: read and checked, never changed."""
    machine_type: str
    zone: str
    nodes: int
    """The number of nodes that the pool has, or begins with if it scales by itself."""
    min_nodes: int
    max_nodes: int
    """The largest number of nodes. If it is more than `min_nodes`, the autoscaler adds them as pods ask for them."""
    waits: bool
    """Whether the reservation has not begun yet, so that there are no nodes and nothing is put on them."""
    provisioning: Provisioning
    reservation: ReservationPlan | None
    max_run_seconds: int | None
    """The seconds after which Google takes a node back; None: no limit."""
    placement: PlacementPlan | None
    gpu_type: str
    gpus_per_node: int
    gpu_driver_version: str
    max_pods_per_node: int
    boot_disk_type: str
    boot_disk_size_gib: int
    secondary_boot_disk: str | None
    """A disk image with container images that nodes need not pull; None: there is none."""
    image_streaming: bool
    local_ssds: int
    """The number of local SSDs of 375 GiB for the nodes' ephemeral storage; 0: it is on the boot disk."""
    huge_pages: int | None
    """The number of huge pages of 2 MiB that are reserved; None: none."""
    secure_boot: bool
    auto_repair: bool
    upgrade: UpgradePlan | None
    """How nodes are upgraded; None: nodes keep their version until they end, and GKE chooses the version of new
    ones."""
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    uses_fabric: bool
    accelerator_network_profile: str | None
    """`auto` if Google makes the fabric's networks itself; else None."""

    @property
    def scales(self) -> bool:
        return self.min_nodes < self.max_nodes

    @property
    def nodes_at_once(self) -> int:
        """The largest number of nodes at one time, with those that an upgrade adds."""
        return self.max_nodes + (self.upgrade.max_surge if self.upgrade else 0)


class HostFolder(Decision):
    """A folder of the node, and where a container sees it."""

    name: str
    host_path: str
    mount_path: str
    type: str | None


class NcclInstallerPlan(Decision):
    """The DaemonSet that installs a transport's NCCL plugin on the nodes."""

    name: str
    namespace: str
    image: str
    pause_image: str
    command: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    """The folders whose contents the installer copies: from and to."""
    host_image: str | None
    """The image with the tools that enter the node's own namespaces for `host_preparation`; None: there is nothing to
    prepare."""
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
    """The number of pods that its namespace may have at the priority of system pods, without which GKE refuses them."""
