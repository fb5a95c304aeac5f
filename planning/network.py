"""Decides which network the cluster is in: one of the stack's own, or somebody else's."""

from catalog.google import google_platform
from config.settings import Settings
from planning.addresses import AddressRanges
from planning.plan import ClusterNetworkPlan, ExistingNetworkPlan, SubnetworkPlan


def plan_network(
    settings: Settings, prefix: str, ranges: AddressRanges, *, nodes_needed: int, pod_addresses_needed: int
) -> ClusterNetworkPlan | ExistingNetworkPlan:
    """The network of a cluster that the stack makes; one that exists already is in a network already."""
    existing = settings.network.existing
    if existing:
        return ExistingNetworkPlan(
            project=existing.project,
            vpc=existing.network,
            subnetwork=existing.subnetwork,
            pods_range=existing.pods_range,
            services_range=existing.services_range,
            nodes_needed=nodes_needed,
            pod_addresses_needed=pod_addresses_needed,
        )
    return ClusterNetworkPlan(
        vpc=f"{prefix}-cluster",
        mtu=google_platform().vpc_mtu,
        subnetwork=SubnetworkPlan(name=f"{prefix}-nodes", cidr=str(ranges.nodes)),
        pods=SubnetworkPlan(name="pods", cidr=str(ranges.pods)),
        services=SubnetworkPlan(name="services", cidr=str(ranges.services)),
        router=f"{prefix}-router",
        nat=f"{prefix}-nat",
        nat_min_ports=google_platform().nat.min_ports_per_vm,
        nat_max_ports=google_platform().nat.max_ports_per_vm,
    )
