"""What was decided: one frozen, serialisable value from which the components build, deciding nothing themselves."""

from planning.plan.capacity import AddressUse, CostItem, CostPlan, NodeUse, PoolUse, QuotaNeed
from planning.plan.cluster import ClusterPlan, NodeIdentityPlan, SystemPoolPlan
from planning.plan.decision import Decision, Taint
from planning.plan.network import ClusterNetworkPlan, FabricPlan, FabricVpcPlan, PodNetworkPlan, SubnetworkPlan
from planning.plan.node_pools import HostFolder, NcclInstallerPlan, NodePoolPlan, Provisioning
from planning.plan.platform import PlatformPlan, Warning
from planning.plan.serving import LeaderWorkerSetPlan, LifecyclePlan, ModelServerPlan, PodResourcesPlan

__all__ = [
    "AddressUse",
    "ClusterNetworkPlan",
    "ClusterPlan",
    "CostItem",
    "CostPlan",
    "Decision",
    "FabricPlan",
    "FabricVpcPlan",
    "HostFolder",
    "LeaderWorkerSetPlan",
    "LifecyclePlan",
    "ModelServerPlan",
    "NcclInstallerPlan",
    "NodeIdentityPlan",
    "NodePoolPlan",
    "NodeUse",
    "PlatformPlan",
    "PodNetworkPlan",
    "PodResourcesPlan",
    "PoolUse",
    "Provisioning",
    "QuotaNeed",
    "SubnetworkPlan",
    "SystemPoolPlan",
    "Taint",
    "Warning",
]
