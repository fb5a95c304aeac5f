"""The cluster: its control plane, the identity of its nodes, and the node pool for the system's own pods."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from components.faces import AnyNetwork, StackContext
from components.node_identity import NodeIdentity, NodeIdentityArgs
from planning.plan import ClusterPlan, SystemPoolPlan


@dataclass(frozen=True, kw_only=True)
class GkeClusterArgs:
    plan: ClusterPlan
    stack: StackContext
    network: AnyNetwork
    protect: bool


class GkeCluster(pulumi.ComponentResource):
    """A regional, VPC-native cluster of private nodes. Its control plane is reached by its DNS name.

    Whatever uses it must depend on `system_pool` too: without that pool nothing can be scheduled, and GKE taints the
    GPU nodes of a pool only if the cluster has other nodes already.
    """

    cluster_name: str
    location: str
    project: str
    identifier: str
    """The cluster's id. It is made of configuration alone, so that in a preview a changed cluster is not taken for
    another one."""
    endpoint: pulumi.Output[str]
    node_service_account: pulumi.Output[str]
    gone_with: pulumi.Resource | None
    ready: pulumi.Resource
    private_nodes: pulumi.Input[bool] = True

    def __init__(self, name: str, args: GkeClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:GkeCluster", name, None, opts)
        plan = args.plan
        self.ready = self
        self.cluster_name = plan.name
        self.location = plan.location
        self.project = args.stack.project
        self.identifier = f"projects/{args.stack.project}/locations/{plan.location}/clusters/{plan.name}"

        identity = NodeIdentity(
            f"{name}-nodes",
            NodeIdentityArgs(plan=plan.node_identity, cluster_name=plan.name, stack=args.stack),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.resource = self.gone_with = self._cluster(name, args, identity)
        self.system_pool = self._system_pool(name, plan.system_pool, args, identity)
        self.endpoint = self.resource.control_plane_endpoints_config.apply(dns_endpoint)
        self.node_service_account = identity.email
        self.register_outputs({"identifier": self.identifier, "endpoint": self.endpoint})

    def _cluster(self, name: str, args: GkeClusterArgs, identity: NodeIdentity) -> container.Cluster:
        plan = args.plan
        return container.Cluster(
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
            private_cluster_config={"enable_private_nodes": self.private_nodes},
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": True},
                "ip_endpoints_config": {"enabled": bool(plan.authorized_networks)},
            },
            master_authorized_networks_config=_authorized_networks(plan),
            workload_identity_config={"workload_pool": f"{args.stack.project}.svc.id.goog"},
            enable_shielded_nodes=plan.shielded_nodes,
            release_channel={"channel": plan.release_channel.name},
            min_master_version=plan.version,
            maintenance_policy=_maintenance(plan),
            monitoring_config={
                "enable_components": list(plan.monitoring_components),
                "managed_prometheus": {"enabled": plan.managed_prometheus},
                "advanced_datapath_observability_config": {
                    "enable_metrics": plan.dataplane_observability,
                    "enable_relay": plan.dataplane_observability,
                },
            },
            logging_config={"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
            gateway_api_config={"channel": plan.gateway_channel},
            addons_config={"gcs_fuse_csi_driver_config": {"enabled": plan.gcs_fuse}},
            secret_manager_config={"enabled": plan.secret_manager},
            cost_management_config={"enabled": plan.cost_allocation},
            security_posture_config={"mode": plan.security_posture.name},
            resource_labels=args.stack.labels,
            # The default pool is removed at once; its settings must not change the cluster.
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config={
                "service_account": identity.email,
                "machine_type": plan.first_pool.machine_type,
                "disk_type": plan.first_pool.disk_type.value,
                "disk_size_gb": plan.first_pool.disk_size_gib,
            },
            deletion_protection=args.protect,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # Errors of nodes that cannot write logs or pull images are hard to understand.
                depends_on=[args.stack.services, identity],
                ignore_changes=["nodeConfig", "initialNodeCount"],
                # Google accepts it for a new cluster and refuses to change it, and the provider would try to.
                replace_on_changes=["enableMultiNetworking"],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="90m", delete="60m"),
            ),
        )

    def _system_pool(
        self, name: str, pool: SystemPoolPlan, args: GkeClusterArgs, identity: NodeIdentity
    ) -> container.NodePool:
        return container.NodePool(
            f"{name}-{pool.name}",
            name=pool.name,
            cluster=self.resource.name,
            location=args.plan.location,
            initial_node_count=pool.min_nodes_per_zone,
            autoscaling={
                "min_node_count": pool.min_nodes_per_zone,
                "max_node_count": pool.max_nodes_per_zone,
            },
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            node_config={
                "machine_type": pool.machine_type,
                "disk_type": pool.disk_type.value,
                "disk_size_gb": pool.disk_size_gib,
                "image_type": "COS_CONTAINERD",
                "service_account": identity.email,
                "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "gvnic": {"enabled": True},
                "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
                "workload_metadata_config": {"mode": "GKE_METADATA"},
                "resource_labels": args.stack.labels,
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # Without a way to the internet its nodes cannot pull any image.
                depends_on=args.network.way_out,
                # A change of the count that a pool began with would replace the pool; the autoscaler owns the count.
                ignore_changes=["initialNodeCount"],
                delete_before_replace=True,
            ),
        )


def _authorized_networks(plan: ClusterPlan) -> container.ClusterMasterAuthorizedNetworksConfigArgsDict | None:
    """The networks that may reach the IP endpoint. None: there is no IP endpoint."""
    if not plan.authorized_networks:
        return None
    blocks: list[container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgsDict] = [
        {"cidr_block": str(each.cidr), "display_name": each.name} for each in plan.authorized_networks
    ]
    return {"cidr_blocks": blocks, "gcp_public_cidrs_access_enabled": False}


def _maintenance(plan: ClusterPlan) -> container.ClusterMaintenancePolicyArgsDict:
    window = plan.maintenance_window
    policy: container.ClusterMaintenancePolicyArgsDict = {
        "recurring_window": {"start_time": window.start, "end_time": window.end, "recurrence": window.recurrence}
    }
    exclusions: list[container.ClusterMaintenancePolicyMaintenanceExclusionArgsDict] = []
    for each in plan.maintenance_exclusions:
        if each.end:
            exclusions.append(
                {
                    "exclusion_name": each.name,
                    "start_time": each.start,
                    "end_time": each.end,
                    "exclusion_options": {"scope": each.scope.name},
                }
            )
        else:
            options: container.ClusterMaintenancePolicyMaintenanceExclusionExclusionOptionsArgsDict = {
                "scope": each.scope.name,
                "end_time_behavior": "UNTIL_END_OF_SUPPORT",
            }
            exclusions.append({"exclusion_name": each.name, "start_time": each.start, "exclusion_options": options})
    if exclusions:
        policy["maintenance_exclusions"] = exclusions
    return policy


def dns_endpoint(config: container.outputs.ClusterControlPlaneEndpointsConfig | None) -> str:
    """The host name of the DNS endpoint. Raises RunError if the cluster has none."""
    dns = config.dns_endpoint_config if config else None
    if dns is None or not dns.endpoint:
        raise pulumi.RunError("the cluster has no DNS endpoint; was dns_endpoint_config removed from it by hand?")
    return dns.endpoint
