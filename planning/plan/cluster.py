"""The cluster and the node pool for the system's own pods; or an existing cluster."""

from planning.plan.decision import Decision
from planning.plan.network import ClusterNetworkPlan, ExistingNetworkPlan


class SystemPoolPlan(Decision):
    name: str
    machine_type: str
    disk_type: str
    disk_size_gib: int
    min_nodes_per_zone: int
    max_nodes_per_zone: int


class FirstPoolPlan(Decision):
    """The node pool that GKE makes with a cluster, and that is removed at once."""

    machine_type: str
    disk_type: str
    disk_size_gib: int


class NodeIdentityPlan(Decision):
    """The service account of the nodes, and its roles in the project."""

    account_id: str
    roles: tuple[str, ...]


class MaintenanceWindowPlan(Decision):
    start: str
    end: str
    recurrence: str


class MaintenanceExclusionPlan(Decision):
    name: str
    start: str
    end: str | None
    """The end of the exclusion; None: the end of support of the cluster's version."""
    scope: str


class AuthorizedNetworkPlan(Decision):
    name: str
    cidr: str


class ClusterPlan(Decision):
    """A cluster that the stack makes."""

    name: str
    location: str
    network: ClusterNetworkPlan | ExistingNetworkPlan
    release_channel: str
    version: str | None
    """The GKE version, or its minor version; None: the channel's default."""
    multi_networking: bool
    shielded_nodes: bool
    node_identity: NodeIdentityPlan
    first_pool: FirstPoolPlan
    system_pool: SystemPoolPlan
    maintenance_window: MaintenanceWindowPlan
    maintenance_exclusions: tuple[MaintenanceExclusionPlan, ...]
    authorized_networks: tuple[AuthorizedNetworkPlan, ...]
    """The networks that may reach the IP endpoint; empty: there is no IP endpoint."""
    monitoring_components: tuple[str, ...]
    managed_prometheus: bool
    dataplane_observability: bool
    gateway_channel: str
    gcs_fuse: bool
    secret_manager: bool
    cost_allocation: bool
    security_posture: str

    @property
    def minor(self) -> str | None:
        """The minor version, such as `1.36`. With `release_channel` it is what Google is asked for before anything is
        made."""
        return None if self.version is None else ".".join(self.version.split(".")[:2])


class ExistingSystemPool(Decision):
    name: str


class ExistingClusterPlan(Decision):
    """An existing cluster, and what the stack expects of it."""

    project: str | None
    """The project that owns it; None: the stack's own."""
    name: str
    location: str
    version: str | None
    """The cluster's GKE version, which is compared with what the accelerators need; None: the version that Google
    reports is compared."""
    multi_networking: bool
    secret_manager: bool
    managed_prometheus: bool
    system_pool: ExistingSystemPool
    node_identity: NodeIdentityPlan | None
    """The identity of the nodes that the stack adds; None: it adds none."""
