"""A node pool of one accelerator machine, with the NICs of its fabric in order."""

from dataclasses import dataclass
from typing import cast

import pulumi
from pulumi_gcp import compute, container
from pydantic.alias_generators import to_snake

from catalog import Taint
from catalog.capacity import ReservationUse
from components.faces import AnyCluster, AnyFabric, StackContext
from config.node_pools import SurgeSettings
from planning.plan import NodePoolPlan

_RESERVATION_KEY = "compute.googleapis.com/reservation-name"
_KEEPS_VERSION: list[container.NodePoolMaintenancePolicyArgsDict] = [
    {"exclusion_until_end_of_supports": [{"enabled": True}]}
]


@dataclass(frozen=True, kw_only=True)
class AcceleratorNodePoolArgs:
    plan: NodePoolPlan
    cluster: AnyCluster
    fabric: AnyFabric | None
    stack: StackContext
    keep_version: bool
    """Whether a newly made pool keeps its version until that version's support ends or somebody upgrades the pool."""
    protect: bool


class AcceleratorNodePool(pulumi.ComponentResource):
    """GPU nodes in one zone. A change of almost any property replaces the pool."""

    plan: NodePoolPlan
    ready: pulumi.Resource

    def __init__(self, name: str, args: AcceleratorNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:AcceleratorNodePool", name, None, opts)
        plan = self.plan = args.plan
        self.ready = self
        policy = self._workload_policy(name, args)
        self.resource = container.NodePool(
            f"{name}-pool",
            name=plan.name,
            cluster=args.cluster.resource.name,
            # A zone here, instead of the cluster's region, would replace the pool at every update.
            location=args.cluster.location,
            node_locations=[plan.zone],
            node_count=None if plan.scales else plan.nodes,
            initial_node_count=plan.nodes if plan.scales else None,
            autoscaling=_autoscaling(plan) if plan.scales else None,
            max_pods_per_node=plan.max_pods_per_node,
            network_config=_network_config(args.fabric, args.cluster, plan),
            placement_policy=_placement(plan, policy),
            management={"auto_repair": plan.auto_repair, "auto_upgrade": True},
            upgrade_settings=_upgrade(plan.upgrade) if plan.upgrade else None,
            maintenance_policies=_KEEPS_VERSION if args.keep_version else None,
            node_config=_node_config(plan, args),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # GKE taints GPU nodes by itself only if the cluster already has other nodes.
                depends_on=[args.cluster.system_pool],
                ignore_changes=_ignored(plan),
                # The provider would change it in place: every node would be replaced, and protection would not prevent
                # that.
                replace_on_changes=["nodeLocations"],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )
        self.register_outputs({})

    def _workload_policy(self, name: str, args: AcceleratorNodePoolArgs) -> compute.ResourcePolicy | None:
        placement = args.plan.placement
        if placement is None or placement.policy is None:
            return None
        return compute.ResourcePolicy(
            f"{name}-policy",
            name=placement.policy,
            region=args.stack.region,
            workload_policy={
                "type": "HIGH_THROUGHPUT",
                "accelerator_topology": placement.accelerator_topology,
            },
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.stack.services],
                # The provider would rename it in place, and would then ask Google for a policy of the new name.
                replace_on_changes=["name"],
                delete_before_replace=True,
            ),
        )


def _autoscaling(plan: NodePoolPlan) -> container.NodePoolAutoscalingArgsDict:
    # The count is over all zones, and the pool has one. A machine is taken wherever there is one.
    return {
        "total_min_node_count": plan.min_nodes,
        "total_max_node_count": plan.max_nodes,
        "location_policy": "ANY",
    }


def _ignored(plan: NodePoolPlan) -> list[str]:
    # The provider says that it changes how long a pool keeps its version, but does not ask Google for it.
    ignored = ["maintenancePolicies"]
    if plan.scales:
        # A change of the count that a pool began with would replace the pool; the autoscaler owns the count.
        ignored.append("initialNodeCount")
    if plan.placement and plan.placement.policy:
        # The provider requires it together with a workload policy, and Google may leave it out of its answer.
        ignored.append("placementPolicy.type")
    return ignored


def _upgrade(plan: SurgeSettings) -> container.NodePoolUpgradeSettingsArgsDict:
    return {"strategy": "SURGE", "max_surge": plan.max_surge, "max_unavailable": plan.max_unavailable}


def _network_config(
    fabric: AnyFabric | None, cluster: AnyCluster, plan: NodePoolPlan
) -> container.NodePoolNetworkConfigArgsDict | None:
    """The pool's network configuration. None leaves the nodes' addresses to the cluster; in a block without the
    setting, the provider makes them public."""
    if plan.accelerator_network_profile:
        return {
            "accelerator_network_profile": plan.accelerator_network_profile,
            "enable_private_nodes": cluster.private_nodes,
        }
    if fabric is None or not plan.uses_fabric:
        return None
    return {
        "enable_private_nodes": cluster.private_nodes,
        "additional_node_network_configs": [
            {"network": attachment.network_name, "subnetwork": attachment.subnetwork_name}
            for attachment in fabric.attachments
        ],
    }


def _placement(
    plan: NodePoolPlan, policy: compute.ResourcePolicy | None
) -> container.NodePoolPlacementPolicyArgsDict | None:
    if plan.placement is None:
        return None
    return {"type": "COMPACT"} if policy is None else {"type": "COMPACT", "policy_name": policy.name}


def _node_config(plan: NodePoolPlan, args: AcceleratorNodePoolArgs) -> container.NodePoolNodeConfigArgsDict:
    cluster = args.cluster
    config: container.NodePoolNodeConfigArgsDict = {
        "machine_type": plan.machine_type,
        "spot": False,
        "disk_type": plan.boot_disk_type.value,
        "disk_size_gb": plan.boot_disk_size_gib,
        "image_type": "COS_CONTAINERD",
        "service_account": cluster.node_service_account,
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "gvnic": {"enabled": True},
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "guest_accelerators": [
            {
                "type": plan.gpu_type,
                "count": plan.gpus_per_node,
                "gpu_driver_installation_config": {"gpu_driver_version": plan.gpu_driver_version.value},
            }
        ],
        "taints": [_taint(taint) for taint in plan.taints],
        "resource_labels": args.stack.labels,
    }
    if plan.labels:
        config["labels"] = plan.labels
    if plan.secure_boot:
        # If both were off, Google might leave the block out of its answer, and that would replace the pool.
        config["shielded_instance_config"] = {"enable_secure_boot": True, "enable_integrity_monitoring": True}
    if plan.local_ssds:
        config["ephemeral_storage_local_ssd_config"] = {"local_ssd_count": plan.local_ssds}
    if plan.huge_pages:
        config["linux_node_config"] = {"hugepages_config": {"hugepage_size2m": plan.huge_pages}}
    if plan.image_streaming:
        config["gcfs_config"] = {"enabled": True}
    if plan.secondary_boot_disk:
        config["secondary_boot_disks"] = [{"disk_image": plan.secondary_boot_disk, "mode": "CONTAINER_IMAGE_CACHE"}]
    _add_capacity(config, plan, cluster)
    return config


def _add_capacity(config: container.NodePoolNodeConfigArgsDict, plan: NodePoolPlan, cluster: AnyCluster) -> None:
    traits, reservation = plan.provisioning.traits, plan.reservation
    if reservation:
        config["reservation_affinity"] = {
            "consume_reservation_type": ReservationUse.SPECIFIC.value,
            "key": _RESERVATION_KEY,
            "values": [f"projects/{reservation.project or cluster.project}/reservations/{reservation.path}"],
        }
    elif traits.reservations:
        config["reservation_affinity"] = {"consume_reservation_type": traits.reservations.value}
    if traits.flag:
        config |= cast(container.NodePoolNodeConfigArgsDict, {to_snake(traits.flag): True})
    if plan.max_run_seconds:
        config["max_run_duration"] = f"{plan.max_run_seconds}s"


def _taint(taint: Taint) -> container.NodePoolNodeConfigTaintArgsDict:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect.name}
