"""A network that somebody else owns: read and checked, never changed or destroyed."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_gcp import compute

from components.existing import name_of, said
from components.faces import StackContext
from planning.plan import ExistingNetworkPlan

_RESERVED = 4
"""The number of addresses of a subnetwork that Google reserves."""


@dataclass(frozen=True, kw_only=True)
class ExistingNetworkArgs:
    plan: ExistingNetworkPlan
    stack: StackContext


class ExistingNetwork(pulumi.ComponentResource):
    """An existing network. Its owner provides the way to the internet for private nodes."""

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    pods_range: str
    services_range: str
    way_out: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: ExistingNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ExistingNetwork", name, None, opts)
        plan = args.plan
        self.pods_range = plan.pods_range
        self.services_range = plan.services_range
        self.way_out = ()
        host = plan.project or args.stack.project
        # The APIs of an existing network are enabled; to wait for a service that is not enabled yet would hide the
        # network in a preview.
        read = pulumi.ResourceOptions(parent=self)
        vpc = compute.Network.get(f"{name}-vpc", f"projects/{host}/global/networks/{plan.vpc}", opts=read)
        subnetwork = compute.Subnetwork.get(
            f"{name}-subnetwork",
            f"projects/{host}/regions/{args.stack.region}/subnetworks/{plan.subnetwork}",
            opts=read,
        )
        self.network_id = vpc.id
        # Everything that uses the subnetwork waits for the result of these checks.
        self.subnetwork_id = pulumi.Output.all(
            id=said(subnetwork.id, str),
            network=said(subnetwork.network, str),
            cidr=said(subnetwork.ip_cidr_range, str),
            ranges=said(
                subnetwork.secondary_ip_ranges,
                lambda ranges: {each.range_name: each.ip_cidr_range for each in ranges or []},
            ),
        ).apply(lambda found: _checked(plan, **found))
        self.register_outputs({"networkId": self.network_id, "subnetworkId": self.subnetwork_id})


def _checked(plan: ExistingNetworkPlan, *, id: str, network: str, cidr: str, ranges: dict[str, str | None]) -> str:
    """The subnetwork's id. Raises RunError that lists everything about the network that does not suit the stack."""
    problems: list[str] = []
    if name_of(network) != plan.vpc:
        problems.append(f"it is in the network {name_of(network)}, not in {plan.vpc}")
    for name in (plan.pods_range, plan.services_range):
        if name not in ranges:
            problems.append(f"it has no secondary range {name}; it has {', '.join(sorted(ranges)) or 'none'}")
    hosts = IPv4Network(cidr).num_addresses - _RESERVED
    if hosts < plan.nodes_needed:
        problems.append(f"{cidr} has {hosts} addresses, and the nodes may need {plan.nodes_needed}")
    pods = ranges.get(plan.pods_range)
    if pods and IPv4Network(pods).num_addresses < plan.pod_addresses_needed:
        available = IPv4Network(pods).num_addresses
        problems.append(f"{pods} has {available} addresses, and the pods may need {plan.pod_addresses_needed}")
    if problems:
        raise pulumi.RunError(f"network.existing: the subnetwork {plan.subnetwork} will not do: {'; '.join(problems)}")
    return id
