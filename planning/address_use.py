"""Checks that every range holds the nodes and pods that will ask it for addresses."""

from ipaddress import IPv4Network

from catalog.google import google_platform
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.plan import AddressUse, FabricPlan, NodePoolPlan, SystemPoolPlan

_RESERVED = 4
"""Addresses of a subnetwork that Google keeps for itself."""
ZONES = 3
"""The number of zones of a region in which a regional node pool has its nodes."""


def plan_addresses(
    ranges: AddressRanges | None,
    system: SystemPoolPlan | None,
    pools: tuple[NodePoolPlan, ...],
    fabric: FabricPlan | None,
    findings: Findings,
) -> tuple[AddressUse, ...]:
    """What each range of the stack's own is asked for at its most, surge nodes included.

    `ranges` are those of the cluster's network; None: it is an existing one.
    """
    on_fabric = sum(pool.nodes_at_once for pool in pools if pool.uses_fabric)
    uses: list[AddressUse] = []
    if ranges is not None:
        nodes, pods = addresses_needed(system, pools)
        uses += [
            AddressUse(range="nodes", cidr=str(ranges.nodes), needed=nodes, capacity=_hosts(ranges.nodes)),
            AddressUse(range="pods", cidr=str(ranges.pods), needed=pods, capacity=ranges.pods.num_addresses),
        ]
    for network in fabric.pod_networks if fabric else ():
        if network.subnetwork is None:
            continue
        cidr = network.subnetwork.cidr
        uses.append(AddressUse(range=network.name, cidr=cidr, needed=on_fabric, capacity=_hosts(IPv4Network(cidr))))
    for use in uses:
        if use.needed > use.capacity:
            findings.refuse(
                "network.addressBlock",
                f"the range {use.range} ({use.cidr}) has {use.capacity} addresses and {use.needed} are needed",
                "Write a larger block: each step from /16 to /8 doubles every range",
            )
    return tuple(uses)


def addresses_needed(system: SystemPoolPlan | None, pools: tuple[NodePoolPlan, ...]) -> tuple[int, int]:
    """The addresses for all nodes and all pods at their largest number; `system` is None if the system's nodes are in
    an existing cluster."""
    system_nodes = (system.max_nodes_per_zone + 1) * ZONES if system else 0
    nodes = system_nodes + sum(pool.nodes_at_once for pool in pools)
    pods = system_nodes * _pod_addresses(google_platform().pods_per_node) + sum(
        pool.nodes_at_once * _pod_addresses(pool.max_pods_per_node) for pool in pools
    )
    return nodes, pods


def _hosts(network: IPv4Network) -> int:
    return network.num_addresses - _RESERVED


def _pod_addresses(max_pods: int) -> int:
    """GKE gives a node the smallest block of twice as many addresses as it may have pods."""
    block = 1
    while block < 2 * max_pods:
        block *= 2
    return block
