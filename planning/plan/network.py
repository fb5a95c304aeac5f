"""Networks: the cluster's own, and the fabric between accelerator nodes."""

from catalog import DeviceMode, FabricMode, PodMount, Sidecar, Transport
from planning.decision import Decision


class SubnetworkPlan(Decision):
    """A range of addresses with a name."""

    name: str
    """The name of the subnetwork, or of the secondary range in it."""
    cidr: str
    """IPv4 range."""


class ClusterNetworkPlan(Decision):
    """The cluster's own VPC: one subnetwork with a range each for nodes, pods and services."""

    vpc: str
    """Name of the VPC."""
    mtu: int
    """Bytes."""
    subnetwork: SubnetworkPlan
    """The range of the nodes."""
    pods: SubnetworkPlan
    """Secondary range of the pods."""
    services: SubnetworkPlan
    """Secondary range of the Kubernetes services."""
    router: str
    """Name of the Cloud Router."""
    nat: str
    """Name of Cloud NAT on that router."""
    nat_min_ports: int
    """The ports of Cloud NAT for each VM at the least; a VM gets more as it opens connections."""
    nat_max_ports: int
    """The most that one VM gets."""


class ExistingNetworkPlan(Decision):
    """An existing VPC and subnetwork, and what the stack expects of them."""

    project: str | None
    """The project of a Shared VPC's host; None: the stack's own."""
    vpc: str
    """Name of the VPC."""
    subnetwork: str
    """Name of the nodes' subnetwork."""
    pods_range: str
    """Name of the pods' secondary range."""
    services_range: str
    """Name of the services' secondary range."""
    nodes_needed: int
    """The addresses of the subnetwork's primary range that the stack needs."""
    pod_addresses_needed: int
    """Addresses of the pods' secondary range."""


class PodNetworkPlan(Decision):
    """One extra NIC of each node, and the subnetwork it is in."""

    name: str
    """The name of the network, as pods ask for it."""
    device_mode: DeviceMode | None
    """The device mode of the Network object with that name, which pods ask for; None: no such object is made."""
    subnetwork: SubnetworkPlan | None
    """The subnetwork that the stack makes; None: Google makes it, with the name `google_subnetwork`."""
    google_subnetwork: str | None
    """Name of the subnetwork that Google makes; None: the stack makes its own."""


class FabricVpcPlan(Decision):
    """A VPC beside the cluster's. One with a network profile is bound to that profile's zone."""

    name: str
    """The name of the VPC."""
    mtu: int | None
    """The largest packet in bytes; None: the network profile decides it."""
    network_profile: str | None
    """Name of the profile with its zone; None: an ordinary VPC."""
    firewall: str | None
    """The name of the rule that allows traffic between nodes; None: the VPC accepts no firewall rules."""
    source_range: str
    """IPv4 range that the firewall rule lets in."""
    pod_networks: tuple[PodNetworkPlan, ...]
    """The NICs that are in it, in the machine's order."""


class InterfacePlan(Decision):
    """An interface of a pod, such as eth1, and the Network it is in."""

    interface: str
    """The interface's name in the pod, such as eth1."""
    network: str
    """Name of the Network object."""


class FabricClaim(Decision):
    """A claim of a pod: `resourceClaims: [{name, resourceClaimTemplateName: template}]`, and the container's claims.

    The template is an object in the serving namespace that the fabric, or the driver of a ComputeDomain, makes.
    """

    name: str
    """The name of the claim in the pod."""
    template: str
    """Name of the ResourceClaimTemplate."""


class DeviceClaimTemplate(Decision):
    """A ResourceClaimTemplate for devices of one class."""

    template: str
    """Its name."""
    device_class: str
    """Name of the DeviceClass."""
    count: int | None
    """The number of devices; None: all of the node's."""


class FabricPlan(Decision):
    """The extra networks of the stack's accelerator nodes, in the order of the machine's NICs.

    Besides the networks it says what a pod is given that talks over them. A pod that stays on one node needs none of
    it: NVLink carries its traffic, or there is none.
    """

    gpu_type: str
    """The accelerator of its nodes, as in the label cloud.google.com/gke-accelerator."""
    zone: str
    """All of its nodes are in."""
    transport: Transport
    """The way on which NCCL's data go."""
    mode: FabricMode
    """The way in which pods get the NICs."""
    vpcs: tuple[FabricVpcPlan, ...]
    """Empty: Google makes the networks by itself."""
    interfaces: tuple[InterfacePlan, ...]
    """The interfaces after eth0, in order, for the pod's annotation networking.gke.io/interfaces; empty where claims
    allocate them."""
    claim_templates: tuple[DeviceClaimTemplate, ...]
    """The templates for claims of NICs, where DRANET allocates them."""
    makes_pod_networks: bool
    """Whether the stack makes the objects that these interfaces name; if not, there are none, or they exist already."""
    compute_domain: bool
    """Whether a server or test that spans nodes needs a ComputeDomain, whose channel its pods claim."""
    environment: dict[str, str]
    """The environment variables of the container that uses the transport."""
    mounts: tuple[PodMount, ...]
    """The volume mounts of the same container."""
    sidecar: Sidecar | None
    """The daemon beside each workload; None: the transport needs none."""
    whole_node_pods: bool
    """Whether a pod that uses the transport needs all GPUs and NICs of its node."""

    @property
    def pod_networks(self) -> tuple[PodNetworkPlan, ...]:
        return tuple(network for vpc in self.vpcs for network in vpc.pod_networks)

    @property
    def needs_host_access(self) -> bool:
        """Whether pods that use the transport mount folders of the node or add capabilities, which only the Pod
        Security profile `privileged` admits."""
        mounts = (*self.mounts, *(self.sidecar.mounts if self.sidecar else ()))
        return self.sidecar is not None or any(mount.host_path for mount in mounts)

    def claims_of(self, server: str) -> tuple[FabricClaim, ...]:
        """The claims of each pod of a server that spans nodes, or of a test."""
        claims = [FabricClaim(name=claim.template, template=claim.template) for claim in self.claim_templates]
        if self.compute_domain:
            claims.append(FabricClaim(name="compute-domain-channel", template=channel_template(server)))
        return tuple(claims)


class ComputeDomainPlan(Decision):
    """The nodes of one NVLink domain over which the pods of a server, or of a test, share memory."""

    name: str
    """The name of the server or of the test, and of the ComputeDomain."""
    namespace: str
    """The namespace of its pods."""
    channel_template: str
    """The name of the ResourceClaimTemplate that the driver makes for it."""


def channel_template(server: str) -> str:
    """The name of the ResourceClaimTemplate for the IMEX channel of a server's ComputeDomain."""
    return f"{server}-channel"
