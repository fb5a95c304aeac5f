"""The whole plan of a stack."""

from planning.plan.capacity import AddressUse, CostPlan, PoolUse, QuotaNeed
from planning.plan.cluster import ClusterPlan
from planning.plan.decision import Decision
from planning.plan.network import ClusterNetworkPlan, FabricPlan
from planning.plan.node_pools import NcclInstallerPlan, NodePoolPlan
from planning.plan.serving import LeaderWorkerSetPlan, ModelServerPlan


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
