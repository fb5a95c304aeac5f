"""A node pool that somebody else owns, and the extra networks its nodes are in: read and checked, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_gcp import container

from components.existing import name_of, said
from components.faces import AnyCluster, FabricAttachment
from planning.plan import NodePoolPlan, PodNetworkPlan


@dataclass(frozen=True, kw_only=True)
class ExistingNodePoolArgs:
    plan: NodePoolPlan
    cluster: AnyCluster


class ExistingNodePool(pulumi.ComponentResource):
    """A node pool of the cluster that the stack joins."""

    plan: NodePoolPlan
    ready: pulumi.Resource
    networks: pulumi.Output[list[dict[str, str]]]
    """The names of network and subnetwork of each extra NIC, in the machine's order."""

    def __init__(self, name: str, args: ExistingNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ExistingNodePool", name, None, opts)
        self.plan = plan = args.plan
        self.ready = self
        self.resource = container.NodePool.get(
            f"{name}-pool",
            f"{args.cluster.identifier}/nodePools/{plan.name}",
            # The cluster must have passed its checks, and no value of the graph says so.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.cluster.ready]),
        )
        self.networks = pulumi.Output.all(
            machine_type=self.resource.node_config.apply(lambda config: config.machine_type),
            taints=self.resource.node_config.apply(_taints),
            zones=said(self.resource.node_locations, lambda zones: list(zones or [])),
            networks=said(self.resource.network_config, _networks),
        ).apply(lambda found: _checked(plan, found))
        self.register_outputs({})


def _taints(config: container.outputs.NodePoolNodeConfig) -> list[list[str]]:
    return [[taint.key, taint.value] for taint in config.taints or []]


def _networks(config: container.outputs.NodePoolNetworkConfig | None) -> list[dict[str, str]]:
    extra = (config.additional_node_network_configs if config else None) or []
    return [{"network": name_of(each.network or ""), "subnetwork": name_of(each.subnetwork or "")} for each in extra]


def _checked(plan: NodePoolPlan, found: dict[str, Any]) -> list[dict[str, str]]:
    """The pool's networks. Raises RunError that lists everything about the pool that does not suit the stack."""
    problems: list[str] = []
    zones: list[str] = found["zones"]
    if found["machine_type"] != plan.machine_type:
        problems.append(f"its machines are {found['machine_type']}, not {plan.machine_type}")
    if plan.zone not in zones:
        problems.append(f"it is in {', '.join(zones) or 'no zone'}, not in {plan.zone}")
    known = [[taint.key, taint.value] for taint in plan.taints]
    unexpected: list[list[str]] = [taint for taint in found["taints"] if taint not in known]
    if unexpected:
        problems.append(f"its taint {unexpected[0][0]} would keep every server away")
    if problems:
        raise pulumi.RunError(f"the node pool {plan.name}, which exists already, will not do: {'; '.join(problems)}")
    return found["networks"]


@dataclass(frozen=True, kw_only=True)
class ExistingFabric:
    """The extra networks of an existing node pool."""

    attachments: tuple[FabricAttachment, ...]

    @classmethod
    def of(cls, pool: ExistingNodePool, networks: Sequence[PodNetworkPlan]) -> "ExistingFabric":
        return cls(attachments=tuple(_attachment(pool, index, plan) for index, plan in enumerate(networks)))


def _attachment(pool: ExistingNodePool, index: int, plan: PodNetworkPlan) -> FabricAttachment:
    def name(kind: str) -> pulumi.Output[str]:
        return pool.networks.apply(lambda networks: _nic(pool.plan, networks, index)[kind])

    return FabricAttachment(plan=plan, network_name=name("network"), subnetwork_name=name("subnetwork"))


def _nic(plan: NodePoolPlan, networks: list[dict[str, str]], index: int) -> dict[str, str]:
    if index >= len(networks):
        raise pulumi.RunError(f"the node pool {plan.name} has {len(networks)} extra networks, and {index + 1} are used")
    return networks[index]
