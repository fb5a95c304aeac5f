"""What was decided: one frozen, serialisable value from which the components build, deciding nothing themselves."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from planning.load_time import LoadTime
from planning.shape import ShapePlan

HOURS_PER_MONTH = 730


class Decision(BaseModel):
    """A part of the plan: frozen, and strict about its keys so that a stored plan cannot be misread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Taint(Decision):
    key: str
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class SubnetworkPlan(Decision):
    name: str
    cidr: str


class ClusterNetworkPlan(Decision):
    """The cluster's own VPC: one subnetwork with a range each for nodes, pods and services."""

    vpc: str
    mtu: int
    subnetwork: SubnetworkPlan
    pods: SubnetworkPlan
    services: SubnetworkPlan
    router: str
    nat: str


class PodNetworkPlan(Decision):
    """A Device network that pods ask for by name: one NIC of each node, one subnetwork of the fabric."""

    name: str
    device_mode: str
    subnetwork: SubnetworkPlan


class FabricVpcPlan(Decision):
    """A VPC beside the cluster's. One with a network profile is bound to that profile's zone."""

    name: str
    mtu: int
    network_profile: str | None
    firewall: str | None
    """Name of the rule that lets nodes talk, where the VPC takes firewall rules at all."""
    source_range: str
    pod_networks: tuple[PodNetworkPlan, ...]


class FabricPlan(Decision):
    """The extra networks of the stack's accelerator nodes, in the order of the machine's NICs."""

    vpcs: tuple[FabricVpcPlan, ...]

    @property
    def pod_networks(self) -> tuple[PodNetworkPlan, ...]:
        return tuple(network for vpc in self.vpcs for network in vpc.pod_networks)


class SystemPoolPlan(Decision):
    name: str
    machine_type: str
    disk_type: str
    disk_size_gib: int
    min_nodes_per_zone: int
    max_nodes_per_zone: int


class NodeIdentityPlan(Decision):
    """The service account of the nodes and the roles it holds in the project."""

    account_id: str
    roles: tuple[str, ...]


class ClusterPlan(Decision):
    name: str
    location: str
    release_channel: str
    version: str | None
    """GKE version or the minor of it; None: the channel's own."""
    multi_networking: bool
    node_identity: NodeIdentityPlan
    system_pool: SystemPoolPlan


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


class LeaderWorkerSetPlan(Decision):
    name: str
    namespace: str
    chart: str
    version: str
    controller_tag: str
    """The chart's own default follows its main branch."""


class LifecyclePlan(Decision):
    """When a server counts as started, and how it goes. Seconds, but for `startup_failures`."""

    startup_period: int
    startup_failures: int
    """Probes that may fail before the server counts as stuck; times the period it is the longest start."""
    rollout_deadline: int
    pre_stop: int
    """Time for endpoints to forget the pod before it stops taking requests."""
    grace_period: int
    """From the wish to stop to the kill: preStop, vLLM's own drain, and a margin."""


class PodResourcesPlan(Decision):
    gpus: int
    cpus: int
    memory_gib: int
    ephemeral_storage_gib: int
    shared_memory_gib: int


class ModelServerPlan(Decision):
    """One served model: a server of one pod is a Deployment, one that spans nodes a LeaderWorkerSet; and a Service."""

    name: str
    model: str
    namespace: str
    image: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    replicas: int
    port: int
    node_pool: str
    gpu_type: str
    taints: tuple[Taint, ...]
    shape: ShapePlan
    resources: PodResourcesPlan
    load: LoadTime
    lifecycle: LifecyclePlan


class NodeUse(Decision):
    """What one node of a pool is filled with: GPUs by the name of the model."""

    gpus: dict[str, int]


class PoolUse(Decision):
    """How the stack's models fill a pool."""

    pool: str
    gpus_per_node: int
    nodes: int
    used: tuple[NodeUse, ...]
    """Only nodes with something on them, fullest first."""

    @computed_field
    @property
    def free_gpus(self) -> int:
        return self.nodes * self.gpus_per_node - sum(sum(node.gpus.values()) for node in self.used)


class AddressUse(Decision):
    """How many nodes or pods a range is asked to hold, and can."""

    range: str
    cidr: str
    needed: int
    capacity: int


class QuotaNeed(Decision):
    """A limit of the project that the stack needs to be at least this high; `metric` None: its name is not known."""

    metric: str | None
    quota_id: str | None
    region: str
    amount: int
    note: str


class CostItem(Decision):
    """US dollars per hour, list prices without tax or discount; None: no price is published."""

    what: str
    count: int
    usd_per_hour: float | None
    """Of all of them together."""
    as_of: date | None
    note: str | None = None


class CostPlan(Decision):
    items: tuple[CostItem, ...]

    @computed_field
    @property
    def usd_per_hour(self) -> float | None:
        """None if any part is unknown: a sum without it would be a wrong one."""
        known = [item.usd_per_hour for item in self.items if item.usd_per_hour is not None]
        return sum(known) if len(known) == len(self.items) else None

    @computed_field
    @property
    def usd_per_month(self) -> float | None:
        """Of 730 hours."""
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH


class Warning(Decision):
    """What a person should know before spending money; `path` is the key in the stack file that it is about."""

    path: str
    text: str


class PlatformPlan(Decision):
    """Everything a stack will be. Shapes the graph by itself: no resource depends on a value unknown before."""

    name_prefix: str
    region: str
    services: tuple[str, ...]
    network: ClusterNetworkPlan
    cluster: ClusterPlan
    fabric: FabricPlan | None
    node_pools: tuple[NodePoolPlan, ...]
    nccl_installers: tuple[NcclInstallerPlan, ...]
    serving_namespace: str
    token_secret: str
    leader_worker_set: LeaderWorkerSetPlan
    models: tuple[ModelServerPlan, ...]
    pool_use: tuple[PoolUse, ...]
    addresses: tuple[AddressUse, ...]
    quotas: tuple[QuotaNeed, ...]
    cost: CostPlan
    warnings: tuple[Warning, ...]
