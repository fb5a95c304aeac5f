"""The cluster's own VPC: the subnetwork, the ranges for pods and services, and the way to the internet for private
nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from components.faces import StackContext
from planning.plan import ClusterNetworkPlan


@dataclass(frozen=True, kw_only=True)
class ClusterNetworkArgs:
    plan: ClusterNetworkPlan
    stack: StackContext
    protect: bool


class ClusterNetwork(pulumi.ComponentResource):
    """A VPC for this stack's cluster only, never `default`."""

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    pods_range: str
    services_range: str
    way_out: Sequence[pulumi.Resource]
    """The resources that private nodes need before they can pull an image."""

    def __init__(self, name: str, args: ClusterNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ClusterNetwork", name, None, opts)
        plan = args.plan
        self.pods_range = plan.pods.name
        self.services_range = plan.services.name

        vpc = compute.Network(
            f"{name}-vpc",
            name=plan.vpc,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            mtu=plan.mtu,
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.stack.services], protect=args.protect, delete_before_replace=True
            ),
        )
        subnetwork = compute.Subnetwork(
            f"{name}-subnetwork",
            name=plan.subnetwork.name,
            region=args.stack.region,
            network=vpc.id,
            ip_cidr_range=plan.subnetwork.cidr,
            private_ip_google_access=True,
            secondary_ip_ranges=[
                {"range_name": plan.pods.name, "ip_cidr_range": plan.pods.cidr},
                {"range_name": plan.services.name, "ip_cidr_range": plan.services.cidr},
            ],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        router = compute.Router(
            f"{name}-router",
            name=plan.router,
            region=args.stack.region,
            network=vpc.id,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        nat = compute.RouterNat(
            f"{name}-nat",
            name=plan.nat,
            region=args.stack.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            enable_dynamic_port_allocation=True,
            # Google refuses it together with dynamic allocation.
            enable_endpoint_independent_mapping=False,
            min_ports_per_vm=plan.nat_min_ports,
            max_ports_per_vm=plan.nat_max_ports,
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.way_out = [nat]
        self.network_id = vpc.id
        self.subnetwork_id = subnetwork.id
        self.register_outputs({"networkId": self.network_id, "subnetworkId": self.subnetwork_id})
