"""The cluster and the node pool for the system's own pods; or an existing cluster."""

from catalog import DiskType
from catalog.google import SystemPool
from config.cluster import AuthorizedNetwork, MaintenanceExclusion, MaintenanceWindow, ReleaseChannel, SecurityPosture
from planning.decision import Decision
from planning.plan.network import ClusterNetworkPlan, ExistingNetworkPlan


class SystemPoolPlan(Decision):
    """The node pool of everything that is no model."""

    name: str
    """The name of the node pool."""
    machine_type: str
    """Google's name."""
    disk_type: DiskType
    """The disk type of the boot disk."""
    disk_size_gib: int
    """GiB of the boot disk."""
    min_nodes_per_zone: int
    """Nodes in each of the region's zones, at least."""
    max_nodes_per_zone: int
    """Nodes in each of the region's zones, at most."""


class NodeIdentityPlan(Decision):
    """The service account of the nodes, and its roles in the project."""

    account_id: str
    """The account id of the service account: the part of its address before the @."""
    roles: tuple[str, ...]
    """Names such as roles/monitoring.metricWriter."""


class ClusterPlan(Decision):
    """A cluster that the stack makes."""

    name: str
    """The name of the cluster."""
    location: str
    """Google Cloud region."""
    network: ClusterNetworkPlan | ExistingNetworkPlan
    """The VPC that it is in."""
    release_channel: ReleaseChannel
    """The release channel that GKE's versions come from."""
    version: str | None
    """The GKE version, or its minor version; None: the channel's default."""
    multi_networking: bool
    """Whether nodes may have further networks."""
    shielded_nodes: bool
    """Whether all nodes are Shielded VMs."""
    node_identity: NodeIdentityPlan
    """Whom all nodes act as."""
    first_pool: SystemPool
    """The node pool that GKE makes with a cluster, and that is removed at once."""
    system_pool: SystemPoolPlan
    """The nodes of everything that is no model."""
    maintenance_window: MaintenanceWindow
    """The time in which GKE may do what it does by itself."""
    maintenance_exclusions: tuple[MaintenanceExclusion, ...]
    """Times in which it does less."""
    authorized_networks: tuple[AuthorizedNetwork, ...]
    """The networks that may reach the IP endpoint; empty: there is no IP endpoint."""
    monitoring_components: tuple[str, ...]
    """Those whose metrics Cloud Monitoring collects, by GKE's names."""
    managed_prometheus: bool
    """Whether Google's Managed Service for Prometheus runs."""
    dataplane_observability: bool
    """Whether Dataplane V2 gives its metrics and its flow relay."""
    gateway_channel: str
    """The channel of the Gateway API, in GKE's words."""
    gcs_fuse: bool
    """Whether pods can mount Cloud Storage buckets."""
    secret_manager: bool
    """Whether pods can mount secrets of Secret Manager."""
    cost_allocation: bool
    """Whether the bill is broken down by namespace and label."""
    security_posture: SecurityPosture
    """Which of Google's checks of workloads run."""

    @property
    def minor(self) -> str | None:
        """The minor version, such as `1.36`. With `release_channel` it is what Google is asked for before anything is
        made."""
        return None if self.version is None else ".".join(self.version.split(".")[:2])


class ExistingSystemPool(Decision):
    """The node pool of a cluster that exists already which takes what is no model."""

    name: str
    """The name of the node pool."""


class ExistingClusterPlan(Decision):
    """An existing cluster, and what the stack expects of it."""

    project: str | None
    """The project that owns it; None: the stack's own."""
    name: str
    """The name of the cluster."""
    location: str
    """Its region or zone."""
    version: str | None
    """The cluster's GKE version, which is compared with what the accelerators need; None: the version that Google
    reports is compared."""
    multi_networking: bool
    """Whether the stack needs that nodes may have further networks."""
    secret_manager: bool
    """Whether the stack needs the add-on that mounts secrets of Secret Manager."""
    managed_prometheus: bool
    """Whether the stack needs Managed Prometheus, for its alerts."""
    system_pool: ExistingSystemPool
    """Where the stack's controllers run."""
    node_identity: NodeIdentityPlan | None
    """The identity of the nodes that the stack adds; None: it adds none."""
