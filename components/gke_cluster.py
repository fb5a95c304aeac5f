"""The cluster: control plane, the identity of its nodes, and the node pool that the system itself runs on."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import container, projects, serviceaccount

from components.cluster_network import ClusterNetwork
from components.project_services import ProjectServices
from planning.plan import ClusterPlan


@dataclass(frozen=True, kw_only=True)
class GkeClusterArgs:
    plan: ClusterPlan
    project: str
    network: ClusterNetwork
    services: ProjectServices


class GkeCluster(pulumi.ComponentResource):
    """A regional, VPC-native cluster of private nodes whose control plane is reached by its DNS name.

    Whatever stands on it depends on `system_pool` too: without it nothing schedules, and GKE taints the GPU nodes of
    a pool only if the cluster has other nodes already.
    """

    cluster_name: str
    location: str
    project: str
    identifier: str
    """Known from configuration alone, so that a preview never mistakes a changing cluster for another one."""
    endpoint: pulumi.Output[str]
    node_service_account: pulumi.Output[str]

    def __init__(self, name: str, args: GkeClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:GkeCluster", name, None, opts)
        plan = args.plan
        self.cluster_name = plan.name
        self.location = plan.location
        self.project = args.project
        self.identifier = f"projects/{args.project}/locations/{plan.location}/clusters/{plan.name}"

        account = serviceaccount.Account(
            f"{name}-nodes",
            account_id=plan.node_identity.account_id,
            display_name=f"Nodes of {plan.name}",
            # No value says that an API must be on before its first resource.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.services], delete_before_replace=True),
        )
        roles = [
            projects.IAMMember(
                f"{name}-nodes-{role.removeprefix('roles/')}",
                project=args.project,
                role=role,
                member=account.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role in plan.node_identity.roles
        ]
        self.resource = container.Cluster(
            f"{name}-cluster",
            name=plan.name,
            location=plan.location,
            network=args.network.network_id,
            subnetwork=args.network.subnetwork_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={
                "cluster_secondary_range_name": args.network.pods_range,
                "services_secondary_range_name": args.network.services_range,
            },
            datapath_provider="ADVANCED_DATAPATH",
            enable_multi_networking=plan.multi_networking,
            private_cluster_config={"enable_private_nodes": True},
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": True},
                "ip_endpoints_config": {"enabled": False},
            },
            workload_identity_config={"workload_pool": f"{args.project}.svc.id.goog"},
            enable_shielded_nodes=True,
            release_channel={"channel": plan.release_channel},
            min_master_version=plan.version,
            # The default pool is made and removed at once; its settings must not be ours to change.
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config={"service_account": account.email},
            deletion_protection=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Nodes that cannot write logs or pull images fail in ways that are hard to read.
                depends_on=[args.services, *roles],
                ignore_changes=["nodeConfig", "initialNodeCount"],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="90m", delete="60m"),
            ),
        )
        pool = plan.system_pool
        self.system_pool = container.NodePool(
            f"{name}-{pool.name}",
            name=pool.name,
            cluster=self.resource.name,
            location=plan.location,
            initial_node_count=pool.min_nodes_per_zone,
            autoscaling={
                "min_node_count": pool.min_nodes_per_zone,
                "max_node_count": pool.max_nodes_per_zone,
            },
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            node_config={
                "machine_type": pool.machine_type,
                "disk_type": pool.disk_type,
                "disk_size_gb": pool.disk_size_gib,
                "image_type": "COS_CONTAINERD",
                "service_account": account.email,
                "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "gvnic": {"enabled": True},
                "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
                "workload_metadata_config": {"mode": "GKE_METADATA"},
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # Without a way out its nodes cannot pull a single image.
                depends_on=[args.network.nat],
                # A change of the count a pool began with would replace it; autoscaling owns the count.
                ignore_changes=["initialNodeCount"],
                delete_before_replace=True,
            ),
        )
        self.endpoint = self.resource.control_plane_endpoints_config.apply(_dns_endpoint)
        self.node_service_account = account.email
        self.register_outputs({"identifier": self.identifier, "endpoint": self.endpoint})


def _dns_endpoint(config: container.outputs.ClusterControlPlaneEndpointsConfig) -> str:
    dns = config.dns_endpoint_config
    if dns is None or not dns.endpoint:
        raise pulumi.RunError("the cluster has no DNS endpoint; was dns_endpoint_config removed from it by hand?")
    return dns.endpoint
