"""GKE node pools: where they may be, which networks their nodes join, and how many nodes they have."""

import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last, segment
from sandbox.cloud.resources import (
    common,
    node_config,
    pool_dranet,
    pool_images,
    pool_location,
    pool_networks,
    pool_placement,
    pool_size,
    pool_versions,
    reservations,
)
from sandbox.cloud.resources.common import NODE_POOL
from sandbox.cloud.resources.identity import account_exists
from sandbox.cloud.resources.node_config import consumption, machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_id, cluster_of, zones_of
from sandbox.cloud.resources.pool_networks import node_networks
from sandbox.cloud.resources.pool_size import DEFAULT_MAX_PODS, nodes_per_zone, pools_of
from sandbox.cloud.tables import Consumption
from sandbox.cloud.values import Value

_GKE = "Kubernetes Engine API reference"
_A4X_MAX = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x-max"

SURGE = "SURGE"
SHORT_LIVED = "SHORT_LIVED"

# GKE adds these to nodes by itself.
GPU_TAINT: dict[str, Value] = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
ARM_TAINT: dict[str, Value] = {"key": "kubernetes.io/arch", "value": "arm64", "effect": "NO_SCHEDULE"}

rules = Rules()


@rules("pool-name", "terraform-provider-google: name is limited to 40", Stage.CHECK)
def name_is_legal(request: Request) -> str | None:
    if not request.name or re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", request.name):
        return None
    return (
        f'Error 400: Invalid node pool name "{request.name}": must start with a lowercase letter followed by up to 39 '
        "lowercase letters, numbers or hyphens, and cannot end with a hyphen., badRequest"
    )


@rules("pool-surge", _GKE, Stage.CHECK)
def upgrades_make_progress(request: Request) -> str | None:
    upgrade = request.inputs["upgradeSettings"]
    if not isinstance(upgrade, dict) or upgrade.get("strategy", SURGE) != SURGE:
        return None
    if upgrade.get("maxSurge", 1) == 0 and upgrade.get("maxUnavailable", 0) == 0:
        return "Error 400: max_surge and max_unavailable must not both be 0., badRequest"
    return None


@rules("pool-sandbox-subset", "what this stand-in can do", Stage.CHECK)
def is_supported(request: Request) -> str | None:
    if request.inputs.flag("queuedProvisioning.enabled"):
        return "the sandbox has no queued provisioning: nothing in it answers a ProvisioningRequest"
    return None


@rules("pool-service-account-exists", _GKE, Stage.CREATE)
def service_account_exists(request: Request) -> str | None:
    email = request.inputs.text("nodeConfig.serviceAccount")
    if email is None or account_exists(request.state, email):
        return None
    return f'Error 400: Service account "{email}" does not exist., badRequest'


@rules("pool-shielded-nodes", _A4X_MAX, Stage.CREATE)
def bare_metal_is_not_shielded(request: Request) -> str | None:
    found, record = machine(request), cluster_of(request)
    if found is None or found[0].shielded_nodes or record is None:
        return None
    if record.properties.flag("enableShieldedNodes") is False:
        return None
    return (
        f"Error 400: Machine type {machine_name(request)} does not support Shielded GKE Nodes; "
        "turn them off for the cluster., badRequest"
    )


@rules("pool-secure-boot", _A4X_MAX, Stage.CHECK)
def bare_metal_boots_without_security(request: Request) -> str | None:
    found = machine(request)
    if found is None or found[0].shielded_nodes:
        return None
    if not request.inputs.flag("nodeConfig.shieldedInstanceConfig.enableSecureBoot"):
        return None
    return f"Error 400: Machine type {machine_name(request)} does not support secure boot., badRequest"


def _effective_taints(request: Request) -> list[Value]:
    """The taints that are asked for, and those that GKE adds: for GPUs only if another pool has none, for Arm
    always."""
    taints: list[Value] = [dict(item.values) for item in request.inputs.items("nodeConfig.taints")]
    asked = {item.text("key") for item in request.inputs.items("nodeConfig.taints")}
    found = machine(request)
    own = [
        (GPU_TAINT, _gpu_taint(request)),
        (ARM_TAINT, found is not None and found[0].arch == "arm64"),
    ]
    return [*taints, *(dict(taint) for taint, applies in own if applies and taint["key"] not in asked)]


def _gpu_taint(request: Request) -> bool:
    found = machine(request)
    if found is None or found[0].accelerator is None:
        return False
    if request.before:
        effective = request.before.properties.items("nodeConfig.effectiveTaints")
        return GPU_TAINT["key"] in {item.text("key") for item in effective}
    siblings = pools_of(request.state, cluster_id(request))
    return any(not record.properties["nodeConfig.guestAccelerators"] for _, record in siblings)


def _outputs(request: Request) -> dict[str, Value]:
    inputs = request.inputs
    zones = zones_of(request)
    runs_out = consumption(inputs) is Consumption.FLEX_START
    groups = [
        f"{common.COMPUTE}projects/{request.project}/zones/{zone}/%s/{group_name(request.id, zone)}-grp"
        for zone in zones
    ]
    return {
        "project": request.project,
        "location": segment(cluster_id(request), "locations"),
        "version": pool_versions.version_of(request),
        "nodeLocations": [*zones],
        "nodeCount": nodes_per_zone(inputs, len(zones), request.before),
        "instanceGroupUrls": [url % "instanceGroupManagers" for url in groups],
        "managedInstanceGroupUrls": [url % "instanceGroups" for url in groups],
        "maxPodsPerNode": inputs.number("maxPodsPerNode") or DEFAULT_MAX_PODS,
        "networkConfig": _network_config(request),
        # For nodes with a time limit GKE chooses the strategy itself; the provider shows it and does not accept it.
        "upgradeSettings": {"strategy": SHORT_LIVED} if runs_out else inputs["upgradeSettings"],
        "nodeConfig": _node_config(request),
    }


def _network_config(request: Request) -> Value:
    """The network configuration that the provider sends. If the block exists without `enablePrivateNodes`, it sends
    false (resource_container_node_pool.go); only without the block the cluster's own setting applies."""
    given = request.inputs["networkConfig"]
    cluster = cluster_of(request)
    private: Value = cluster.properties.flag("privateClusterConfig.enablePrivateNodes") if cluster else None
    if isinstance(given, dict):
        private = given.get("enablePrivateNodes", False)
    networks: list[Value] = [
        {"network": item.network, "subnetwork": item.subnetwork} for item in node_networks(request)
    ]
    config: dict[str, Value] = {**(given if isinstance(given, dict) else {}), "enablePrivateNodes": bool(private)}
    return {**config, "additionalNodeNetworkConfigs": networks} if networks else config


def _node_config(request: Request) -> Value:
    given = request.inputs["nodeConfig"]
    config = dict(given) if isinstance(given, dict) else {}
    found = machine(request)
    accelerators: Value = request.inputs["nodeConfig.guestAccelerators"]
    if found and found[0].accelerator and not accelerators:
        every: dict[str, Value] = {"type": found[0].accelerator, "count": found[1].accelerator_count}
        accelerators = [every]
    return {
        **config,
        "machineType": machine_name(request),
        "guestAccelerators": accelerators or [],
        "effectiveTaints": _effective_taints(request),
    }


def _held(request: Request, outputs: dict[str, Value]) -> dict[str, Value]:
    """A pool keeps the maintenance policy that it was made with, since no part of the provider's update sends
    `maintenance_policy` (hashicorp/terraform-provider-google#29152, open on 2026-11-28)."""
    if request.before is None:
        return outputs
    kept = request.before.outputs.get("maintenancePolicies")
    others = {name: value for name, value in outputs.items() if name != "maintenancePolicies"}
    return others if kept is None else {**others, "maintenancePolicies": kept}


def group_name(pool_id: str, zone: str) -> str:
    """The common part of the names of a pool's nodes in one zone: `gke-<cluster>-<pool>-<8 hex>`."""
    names = f"gke-{segment(pool_id, 'clusters')}-{last(pool_id)}"[:48].rstrip("-")
    return f"{names}-{common.short_hash(f'{pool_id} {zone}', 8)}"


_PARTS = (
    rules,
    pool_location.rules,
    pool_networks.rules,
    pool_dranet.rules,
    node_config.rules,
    pool_images.rules,
    pool_versions.rules,
    pool_placement.rules,
    reservations.rules,
    pool_size.rules,
)

NODE_POOL_KIND = Kind(
    token=NODE_POOL,
    service="container.googleapis.com",
    identify=lambda request: f"{cluster_id(request)}/nodePools/{request.name}",
    rules=tuple(rule for part in _PARTS for rule in part.all),
    compute=_outputs,
    computed=frozenset(
        {"version", "location", "nodeLocations", "nodeConfig.effectiveTaints"}
        | {"instanceGroupUrls", "managedInstanceGroupUrls"}
    ),
    defaults={"maxPodsPerNode": DEFAULT_MAX_PODS},
    held=_held,
)
