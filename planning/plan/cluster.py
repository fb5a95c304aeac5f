"""The cluster and the node pool that the system itself runs on."""

from planning.plan.decision import Decision


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
