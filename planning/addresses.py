"""Cuts a stack's one address block into the ranges of all its subnetworks, so that none can overlap."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network


@dataclass(frozen=True, kw_only=True)
class AddressRanges:
    """The ranges of one stack.

    Of a block /p, the first quarter (p+2) holds the pods. The second quarter starts with the services and the nodes
    (p+8 each); its second quarter (p+4) holds up to sixteen fabric subnetworks (p+8). The upper half stays free.
    A block of /12 so gives 262,144 pod addresses, 4,096 nodes, and 4,096 addresses in each fabric subnetwork.
    """

    nodes: IPv4Network
    pods: IPv4Network
    services: IPv4Network
    fabric: IPv4Network

    @classmethod
    def cut(cls, block: IPv4Network) -> "AddressRanges":
        pods, second, *_ = block.subnets(prefixlen_diff=2)
        infrastructure, fabric, *_ = second.subnets(prefixlen_diff=2)
        services, nodes, *_ = infrastructure.subnets(prefixlen_diff=4)
        return cls(nodes=nodes, pods=pods, services=services, fabric=fabric)

    def fabric_subnetworks(self) -> Iterator[IPv4Network]:
        """Sixteen equal ranges, in order."""
        return self.fabric.subnets(prefixlen_diff=4)
