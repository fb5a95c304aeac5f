"""Accelerator node pools, and the software that is installed on their nodes."""

from typing import Any

from catalog import CapacityKind, Copy, DiskType, GpuDriverVersion, HostPath, Image, Taint
from config.node_pools import ReservationCapacity, SurgeSettings
from planning.decision import Decision


class PlacementPlan(Decision):
    """How close together the pool's machines are."""

    policy: str | None
    """The name of a workload policy that is made for the pool; None: GKE's own compact placement is used."""
    accelerator_topology: str | None
    """The accelerator topology of that policy."""


class NodePoolPlan(Decision):
    """A pool of accelerator nodes."""

    name: str
    """The name of the node pool."""
    exists: bool
    """Whether it is an existing pool of a cluster that the stack joins: read and checked, never changed."""
    machine_type: str
    """Google's name."""
    zone: str
    """Google Cloud zone of all of its nodes."""
    nodes: int
    """The number of nodes that the pool has, or begins with if it scales by itself."""
    min_nodes: int
    """Nodes at least."""
    max_nodes: int
    """The largest number of nodes. If it is more than `min_nodes`, the autoscaler adds them as pods ask for them."""
    waits: bool
    """Whether the reservation has not begun yet, so that there are no nodes and nothing is put on them."""
    provisioning: CapacityKind
    """How its machines are obtained."""
    reservation: ReservationCapacity | None
    """Where its machines are reserved; None: they are not."""
    max_run_seconds: int | None
    """The seconds after which Google takes a node back; None: no limit."""
    placement: PlacementPlan | None
    """How close together its machines are; None: wherever there is room."""
    gpu_type: str
    """The value of the label cloud.google.com/gke-accelerator."""
    gpus_per_node: int
    """The number of GPUs of a node, which it advertises as nvidia.com/gpu."""
    gpu_driver_version: GpuDriverVersion
    """Which driver GKE installs."""
    max_pods_per_node: int
    """The number of pods that GKE allows on a node."""
    boot_disk_type: DiskType
    """The disk type of the boot disk."""
    boot_disk_size_gib: int
    """GiB of the boot disk."""
    secondary_boot_disk: str | None
    """A disk image with container images that nodes need not pull; None: there is none."""
    image_streaming: bool
    """Whether containers start while their image is still being read."""
    local_ssds: int
    """The number of local SSDs of 375 GiB for the nodes' ephemeral storage; 0: it is on the boot disk."""
    huge_pages: int | None
    """The number of huge pages of 2 MiB that are reserved; None: none."""
    secure_boot: bool
    """Whether nodes start signed software only."""
    auto_repair: bool
    """Whether GKE makes a node again that fails."""
    upgrade: SurgeSettings | None
    """How nodes are upgraded; None: nodes keep their version until they end, and GKE chooses the version of new
    ones."""
    labels: dict[str, str]
    """On the nodes."""
    taints: tuple[Taint, ...]
    """On the nodes; their pods tolerate exactly these."""
    uses_fabric: bool
    """Whether its nodes have NICs for the networks between them."""
    accelerator_network_profile: str | None
    """`auto` if Google makes the fabric's networks itself; else None."""

    @property
    def scales(self) -> bool:
        return self.min_nodes < self.max_nodes

    @property
    def nodes_at_once(self) -> int:
        """The largest number of nodes at one time, with those that an upgrade adds."""
        return self.max_nodes + (self.upgrade.max_surge if self.upgrade else 0)


class NcclInstallerPlan(Decision):
    """The DaemonSet that installs a transport's NCCL plugin on the nodes."""

    name: str
    """The name of the DaemonSet."""
    namespace: str
    """The namespace of the DaemonSet."""
    image: Image
    """The plugin's image."""
    pause_image: Image
    """The image that does nothing, once all is installed."""
    command: tuple[str, ...]
    """The command that installs, in the plugin's image."""
    copies: tuple[Copy, ...]
    """What is copied to the node after it."""
    host_image: Image | None
    """The image with the tools that enter the node's own namespaces for `host_preparation`; None: there is nothing to
    prepare."""
    host_preparation: tuple[str, ...]
    """Shell lines that run in the node's own namespaces, before the command."""
    sysctls: dict[str, str]
    """Kernel settings of the node's network, by name."""
    host_paths: tuple[HostPath, ...]
    """What the installer sees of the node."""
    node_pools: tuple[str, ...]
    """Names of the pools that it runs on."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""


class NodeDaemonPlan(Decision):
    """A privileged DaemonSet that a transport needs on its nodes beside the installer."""

    name: str
    """The name of the DaemonSet."""
    namespace: str
    """The namespace of the DaemonSet."""
    image: Image
    """Its image."""
    command: tuple[str, ...]
    """Empty: the image's own."""
    environment: dict[str, str]
    """Variables of its container."""
    host_paths: tuple[HostPath, ...]
    """What it sees of the node."""
    memory_mib: int
    """MiB that it may have."""
    huge_pages_mib: int | None
    """MiB of them in pages of 2 MiB; None: none."""
    health_port: int | None
    """The port of an HTTP /healthz; None: it is not asked."""
    node_pools: tuple[str, ...]
    """Names of the pools that it runs on."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""


class NodeCachePlan(Decision):
    """The DaemonSet that keeps the cache of a pool's nodes: it makes the folders of the models, and empties others."""

    name: str
    """The name of the DaemonSet."""
    namespace: str
    """The namespace of the DaemonSet."""
    image: str
    """Reference of its image: a server's own, which so is on the node before the server comes."""
    root: str
    """Folder of the node that holds the cache."""
    local_ssd: str
    """Folder of the node in which that folder is."""
    folders: tuple[str, ...]
    """Names of the folders that servers of the plan mount."""
    bound_gib: int
    """GiB above which folders that no server mounts are emptied."""
    kernels_gib: int
    """GiB of compiled kernels in one folder above which the oldest go."""
    node_pools: tuple[str, ...]
    """The name of the pool that it runs on."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""


class DraDriverPlan(Decision):
    """NVIDIA's DRA driver, which joins the nodes of a ComputeDomain."""

    name: str
    """The name of the Helm release."""
    namespace: str
    """The namespace of the Helm release."""
    chart: str
    """Address or folder of the chart."""
    version: str
    """The version of the chart."""
    values: dict[str, Any]
    """The chart's values that GKE's nodes need."""
    gpu_types: tuple[str, ...]
    """The accelerators of its nodes, as in the label cloud.google.com/gke-accelerator."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""
    pods: int
    """The number of pods that its namespace may have at the priority of system pods, without which GKE refuses them."""
