"""The VPCs beside the cluster's own, with one subnetwork for each extra NIC of an accelerator node."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from components.faces import FabricAttachment, StackContext
from planning.plan import FabricPlan, FabricVpcPlan, PodNetworkPlan


@dataclass(frozen=True, kw_only=True)
class FabricArgs:
    plan: FabricPlan
    stack: StackContext
    protect: bool


class Fabric(pulumi.ComponentResource):
    """The networks that carry the traffic between GPUs of different nodes."""

    attachments: tuple[FabricAttachment, ...]
    """One attachment for each NIC, in the machine's order, in which the node pool must name them."""

    def __init__(self, name: str, args: FabricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:Fabric", name, None, opts)
        self.attachments = tuple(attachment for vpc in args.plan.vpcs for attachment in self._vpc(name, vpc, args))
        self.register_outputs({})

    def _vpc(self, name: str, plan: FabricVpcPlan, args: FabricArgs) -> list[FabricAttachment]:
        profile = plan.network_profile
        vpc = compute.Network(
            f"{name}-{plan.name}",
            name=plan.name,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            mtu=plan.mtu,
            network_profile=f"projects/{args.stack.project}/global/networkProfiles/{profile}" if profile else None,
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.stack.services], protect=args.protect, delete_before_replace=True
            ),
        )
        if plan.firewall:
            compute.Firewall(
                f"{name}-{plan.firewall}",
                name=plan.firewall,
                network=vpc.id,
                direction="INGRESS",
                source_ranges=[plan.source_range],
                allows=[{"protocol": "tcp"}, {"protocol": "udp"}, {"protocol": "icmp"}],
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
        return [self._attachment(name, network, vpc, args.stack.region) for network in plan.pod_networks]

    def _attachment(self, name: str, plan: PodNetworkPlan, vpc: compute.Network, region: str) -> FabricAttachment:
        if plan.subnetwork is None:
            made_by_google = str(plan.google_subnetwork)
            # Its name is known, but it exists only after the VPC.
            subnetwork_name = vpc.name.apply(lambda _: made_by_google)
            return FabricAttachment(plan=plan, network_name=vpc.name, subnetwork_name=subnetwork_name)
        subnetwork = compute.Subnetwork(
            f"{name}-{plan.subnetwork.name}",
            name=plan.subnetwork.name,
            region=region,
            network=vpc.id,
            ip_cidr_range=plan.subnetwork.cidr,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        return FabricAttachment(plan=plan, network_name=vpc.name, subnetwork_name=subnetwork.name)
