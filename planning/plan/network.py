"""Networks: the cluster's own, and the fabric between accelerator nodes."""

from planning.plan.decision import Decision


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
