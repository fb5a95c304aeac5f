"""The whole plan of a stack."""

from planning.plan.access import AccessPlan, NamespacePlan, PriorityClassPlan
from planning.plan.capacity import AddressUse, CostPlan, PoolUse, QuotaNeed
from planning.plan.cluster import ClusterPlan, ExistingClusterPlan
from planning.plan.decision import Decision
from planning.plan.environment import AlertsPlan, ProtectionPlan, TokenPlan
from planning.plan.network import ClusterNetworkPlan, ComputeDomainPlan, ExistingNetworkPlan, FabricPlan
from planning.plan.node_pools import DraDriverPlan, NcclInstallerPlan, NodeDaemonPlan, NodePoolPlan
from planning.plan.preflight import PreflightPlan
from planning.plan.serving import LeaderWorkerSetPlan, ModelServerPlan


class Warning(Decision):
    """What a person should know before spending money; `path` is the key in the stack file that it is about."""

    path: str
    text: str


class PlatformPlan(Decision):
    """Everything that a stack will be. It alone decides the graph: no resource depends on a value that is only known
    later."""

    name_prefix: str
    region: str
    services: tuple[str, ...]
    labels: dict[str, str]
    """The labels for everything that can have labels."""
    protection: ProtectionPlan
    alerts: AlertsPlan | None
    """The alerts; None: nobody is told of anything, and no metrics of the servers are collected."""
    cluster: ClusterPlan | ExistingClusterPlan
    fabric: FabricPlan | None
    node_pools: tuple[NodePoolPlan, ...]
    gpu_nodes_keep_version: bool
    """Whether nodes with GPUs keep their version until its support ends or somebody upgrades them."""
    nccl_installers: tuple[NcclInstallerPlan, ...]
    node_daemons: tuple[NodeDaemonPlan, ...]
    dra_driver: DraDriverPlan | None
    compute_domains: tuple[ComputeDomainPlan, ...]
    namespaces: tuple[NamespacePlan, ...]
    """The namespaces of the model servers."""
    preflight_namespace: NamespacePlan | None
    access: AccessPlan
    priority_class: PriorityClassPlan
    token: TokenPlan
    leader_worker_set: LeaderWorkerSetPlan
    preflights: tuple[PreflightPlan, ...]
    models: tuple[ModelServerPlan, ...]
    pool_use: tuple[PoolUse, ...]
    addresses: tuple[AddressUse, ...]
    quotas: tuple[QuotaNeed, ...]
    cost: CostPlan
    effects: dict[str, str]
    """What a change of each field of the stack file would replace; fields that are not named change in place."""
    warnings: tuple[Warning, ...]

    @property
    def network(self) -> ClusterNetworkPlan | ExistingNetworkPlan | None:
        """The network of a cluster that the stack makes; None for an existing cluster, which already is in a
        network."""
        return self.cluster.network if isinstance(self.cluster, ClusterPlan) else None
