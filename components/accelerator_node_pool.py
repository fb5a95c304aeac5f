"""A node pool of one accelerator machine, with the NICs of its fabric in order."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from components.fabric import Fabric
from components.gke_cluster import GkeCluster
from planning.plan import NodePoolPlan, Provisioning, Taint

_TAINT_EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}


@dataclass(frozen=True, kw_only=True)
class AcceleratorNodePoolArgs:
    plan: NodePoolPlan
    cluster: GkeCluster
    fabric: Fabric | None


class AcceleratorNodePool(pulumi.ComponentResource):
    """GPU nodes in one zone. Almost every field of theirs replaces the pool when it changes."""

    plan: NodePoolPlan

    def __init__(self, name: str, args: AcceleratorNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:AcceleratorNodePool", name, None, opts)
        plan = self.plan = args.plan
        self.resource = container.NodePool(
            f"{name}-pool",
            name=plan.name,
            cluster=args.cluster.resource.name,
            # A zone here instead of the cluster's region would replace the pool at every update.
            location=args.cluster.location,
            node_locations=[plan.zone],
            node_count=plan.nodes,
            max_pods_per_node=plan.max_pods_per_node,
            network_config=_network_config(args.fabric) if args.fabric and plan.uses_fabric else None,
            management={"auto_repair": True, "auto_upgrade": True},
            # There is no spare GPU machine to surge onto.
            upgrade_settings={"strategy": "SURGE", "max_surge": 0, "max_unavailable": 1},
            node_config=_node_config(plan, args.cluster.node_service_account),
            opts=pulumi.ResourceOptions(
                parent=self,
                # GKE taints GPU nodes by itself only when the cluster has other nodes already.
                depends_on=[args.cluster.system_pool],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )
        self.register_outputs({})


def _network_config(fabric: Fabric) -> container.NodePoolNetworkConfigArgsDict:
    return {
        "additional_node_network_configs": [
            {"network": attachment.network_name, "subnetwork": attachment.subnetwork_name}
            for attachment in fabric.attachments
        ]
    }


def _node_config(plan: NodePoolPlan, service_account: pulumi.Input[str]) -> container.NodePoolNodeConfigArgsDict:
    config: container.NodePoolNodeConfigArgsDict = {
        "machine_type": plan.machine_type,
        "spot": plan.provisioning is Provisioning.SPOT,
        "disk_type": plan.boot_disk_type,
        "disk_size_gb": plan.boot_disk_size_gib,
        "image_type": "COS_CONTAINERD",
        "service_account": service_account,
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "gvnic": {"enabled": True},
        "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "guest_accelerators": [
            {
                "type": plan.gpu_type,
                "count": plan.gpus_per_node,
                "gpu_driver_installation_config": {"gpu_driver_version": plan.gpu_driver_version},
            }
        ],
        "taints": [_taint(taint) for taint in plan.taints],
    }
    if plan.local_ssds:
        config["ephemeral_storage_local_ssd_config"] = {"local_ssd_count": plan.local_ssds}
    return config


def _taint(taint: Taint) -> container.NodePoolNodeConfigTaintArgsDict:
    return {"key": taint.key, "value": taint.value, "effect": _TAINT_EFFECTS[taint.effect]}
