"""The networks between GPU nodes: which VPCs, subnetworks and NICs a transport wants, and what its pods are given.

The order of `networks` is the order of the NICs on the machine, after the node's own eth0.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from catalog._entry import Entry


class Transport(StrEnum):
    """The way on which NCCL's data go from node to node."""

    NONE = "none"
    TCPX = "gpudirect-tcpx"
    TCPXO = "gpudirect-tcpxo"
    RDMA = "gpudirect-rdma"
    RDMA_METAL = "rdma-metal"


class NicKind(StrEnum):
    GVNIC = "gvnic"
    MRDMA = "mrdma"
    IDPF = "idpf"


class DeviceMode(StrEnum):
    """`deviceMode` of a GKENetworkParamSet."""

    NET_DEVICE = "NetDevice"
    RDMA = "RDMA"


class Dranet(StrEnum):
    """Whether GKE's managed DRANET can hand out the NICs instead of Device-type Network objects."""

    UNSUPPORTED = "unsupported"
    OPTIONAL = "optional"
    REQUIRED = "required"


class FabricMode(StrEnum):
    """How pods get the NICs of their node."""

    NETWORK_OBJECTS = "networkObjects"
    DRANET = "dranet"
    ACCELERATOR_NETWORK_PROFILE = "acceleratorNetworkProfile"


class FabricVpc(Entry):
    """One VPC beside the cluster's own."""

    name: str
    mtu: int | None = Field(description="bytes; None where the network profile decides it")
    network_profile: str | None = Field(
        default=None, description="suffix of `ZONE-SUFFIX`, and the name of an entry of NETWORK_PROFILES"
    )
    firewall_rules_allowed: bool = True
    google_makes_subnetworks: bool = False
    google_subnetwork: str | None = Field(
        default=None, description="name of the one that Google makes; {network} stands for the VPC's name"
    )


class FabricNetwork(Entry):
    """One NIC of the node: a subnetwork, and by the same name its Network and GKENetworkParamSet."""

    name: str
    vpc: str
    kind: NicKind
    interface: str | None = Field(description="in the pod; None where DRANET names it")
    device_mode: DeviceMode | None = Field(default=None, description="None where no Network object may exist")
    gbps: int | None


class AllGather(Entry):
    """What somebody measured between two nodes: the peak of NCCL's bus bandwidth."""

    gbytes_per_second: float
    source: str


class _Fabric(Entry):
    """What the transports have in common."""

    vpcs: tuple[FabricVpc, ...] = ()
    networks: tuple[FabricNetwork, ...] = ()
    node_daemons: tuple[str, ...] = Field(default=(), description="entries of NODE_DAEMONS that must run on its nodes")
    environment: dict[str, str] = Field(
        default_factory=dict[str, str], description="for the containers that use the transport"
    )
    dranet: Dranet = Dranet.UNSUPPORTED
    network_objects: bool = Field(default=True, description="Device-type Network objects are supported")
    accelerator_network_profile: bool = Field(default=False, description="ANP `auto` is offered")
    whole_node_pods: bool = Field(default=False, description="a pod takes all GPUs and NICs of its node")
    all_gather: AllGather | None = Field(default=None, description="None: no published figure was found")
    note: str | None = None
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _networks_lie_in_its_vpcs(self) -> Self:
        unknown = {network.vpc for network in self.networks} - {vpc.name for vpc in self.vpcs}
        if unknown:
            raise ValueError(f"networks name VPCs that are not there: {', '.join(sorted(unknown))}")
        return self

    def networks_of(self, vpc: str) -> tuple[FabricNetwork, ...]:
        """The NICs in that VPC, in order."""
        return tuple(network for network in self.networks if network.vpc == vpc)

    @property
    def modes(self) -> tuple[FabricMode, ...]:
        """The possible ways, the usual one first."""
        modes = [FabricMode.NETWORK_OBJECTS] if self.networks and self.network_objects else []
        if self.dranet is not Dranet.UNSUPPORTED:
            modes.append(FabricMode.DRANET)
            if self.accelerator_network_profile:
                modes.append(FabricMode.ACCELERATOR_NETWORK_PROFILE)
        return tuple(modes)

    @property
    def claimed_nics(self) -> int:
        """The number of RDMA devices that DRANET publishes for one node."""
        return len(self.gpu_networks)

    @property
    def gbytes_per_second(self) -> float:
        """The most, in GB/s, that a node's NICs for GPU traffic can send."""
        return sum(network.gbps or 0 for network in self.gpu_networks) / 8

    @property
    def gpu_networks(self) -> tuple[FabricNetwork, ...]:
        """The NICs that carry GPU traffic."""
        return tuple(network for network in self.networks if network.kind is NicKind.MRDMA) or self.networks


class NoFabric(_Fabric):
    """The node's own NIC carries everything."""

    transport: Literal[Transport.NONE] = Transport.NONE


class TcpFabric(_Fabric):
    """GPUDirect-TCPX and TCPXO: gVNICs, an NRI device injector, and a daemon beside each workload."""

    transport: Literal[Transport.TCPX, Transport.TCPXO]


class RdmaFabric(_Fabric):
    """RoCE: one VPC with the zone's network profile, a subnetwork for each RDMA NIC, gIB as NCCL's network."""

    transport: Literal[Transport.RDMA]


class RdmaMetalFabric(_Fabric):
    """Bare metal: IPv6 only, subnetworks made by Google, NICs handed out by DRANET alone."""

    transport: Literal[Transport.RDMA_METAL]
    rdma_nics: int = Field(description="that stand behind its one network")
    rdma_gbps: int | None = Field(description="of one RDMA NIC")

    @property
    def claimed_nics(self) -> int:
        return self.rdma_nics

    @property
    def gbytes_per_second(self) -> float:
        return self.rdma_nics * (self.rdma_gbps or 0) / 8


Fabric = Annotated[NoFabric | TcpFabric | RdmaFabric | RdmaMetalFabric, Field(discriminator="transport")]


class NetworkProfile(Entry):
    """A network profile `ZONE-NAME` and the zones that have it. `certain` False: ask the API before refusing a zone."""

    name: str
    zones: tuple[str, ...]
    certain: bool
    sources: tuple[str, ...]
    note: str | None = None
