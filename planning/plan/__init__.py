"""The plan: one frozen value that can be written as JSON. The components build exactly what it says and decide
nothing."""

from planning.decision import Decision
from planning.plan.access import (
    AccessPlan,
    CallerPlan,
    CallerRangePlan,
    HostAccessPlan,
    NamespacePlan,
    PodSecurity,
    PriorityClassPlan,
)
from planning.plan.capacity import AddressUse, CostItem, CostPlan, IdleUse, NodeUse, PoolUse, QuotaNeed
from planning.plan.cluster import (
    ClusterPlan,
    ExistingClusterPlan,
    ExistingSystemPool,
    NodeIdentityPlan,
    SystemPoolPlan,
)
from planning.plan.environment import (
    AlertPolicyPlan,
    AlertsPlan,
    ProtectionPlan,
    SecretManagerSecret,
    TokenPlan,
)
from planning.plan.network import (
    ClusterNetworkPlan,
    ComputeDomainPlan,
    DeviceClaimTemplate,
    ExistingNetworkPlan,
    FabricClaim,
    FabricPlan,
    FabricVpcPlan,
    InterfacePlan,
    PodNetworkPlan,
    SubnetworkPlan,
)
from planning.plan.node_pools import (
    DraDriverPlan,
    NcclInstallerPlan,
    NodeDaemonPlan,
    NodePoolPlan,
    PlacementPlan,
)
from planning.plan.platform import PlatformPlan, Warning
from planning.plan.preflight import PreflightPlan, ServerNccl
from planning.plan.serving import (
    LeaderWorkerSetPlan,
    LifecyclePlan,
    ModelServerPlan,
    PodResourcesPlan,
    PodTransportPlan,
    RolloutPlan,
    SchedulingPlan,
)

__all__ = [
    "AccessPlan",
    "AddressUse",
    "AlertPolicyPlan",
    "AlertsPlan",
    "CallerPlan",
    "CallerRangePlan",
    "ClusterNetworkPlan",
    "ClusterPlan",
    "ComputeDomainPlan",
    "CostItem",
    "CostPlan",
    "Decision",
    "DeviceClaimTemplate",
    "DraDriverPlan",
    "ExistingClusterPlan",
    "ExistingNetworkPlan",
    "ExistingSystemPool",
    "FabricClaim",
    "FabricPlan",
    "FabricVpcPlan",
    "HostAccessPlan",
    "IdleUse",
    "InterfacePlan",
    "LeaderWorkerSetPlan",
    "LifecyclePlan",
    "ModelServerPlan",
    "NamespacePlan",
    "NcclInstallerPlan",
    "NodeDaemonPlan",
    "NodeIdentityPlan",
    "NodePoolPlan",
    "NodeUse",
    "PlacementPlan",
    "PlatformPlan",
    "PodNetworkPlan",
    "PodResourcesPlan",
    "PodSecurity",
    "PodTransportPlan",
    "PoolUse",
    "PreflightPlan",
    "PriorityClassPlan",
    "ProtectionPlan",
    "QuotaNeed",
    "RolloutPlan",
    "SchedulingPlan",
    "SecretManagerSecret",
    "ServerNccl",
    "SubnetworkPlan",
    "SystemPoolPlan",
    "TokenPlan",
    "Warning",
]
