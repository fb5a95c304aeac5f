"""GKE node pools: where they may be, which networks their nodes join, how many nodes they have."""

import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last, regional_id, segment
from sandbox.cloud.resources import common, node_config, pool_location, pool_networks
from sandbox.cloud.resources.common import NODE_POOL, RESOURCE_POLICY
from sandbox.cloud.resources.identity import account_exists
from sandbox.cloud.resources.node_config import consumption, machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_id, cluster_of, zones_of
from sandbox.cloud.resources.pool_networks import ADDITIONAL, node_networks
from sandbox.cloud.store import Record, State
from sandbox.cloud.tables import Consumption, region_of
from sandbox.cloud.values import Properties, Value

_GKE = "Kubernetes Engine API reference"
_PROVIDER = "terraform-provider-google, resource_container_node_pool.go"
_MULTI_NETWORK = "cloud.google.com/kubernetes-engine/docs/how-to/setup-multinetwork-support-for-pods"
_GPU_NETWORK = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_GPU_TYPES = "cloud.google.com/compute/docs/gpus"
_PLACEMENT = "cloud.google.com/kubernetes-engine/docs/how-to/compact-placement"
# What GKE puts on the nodes of a GPU pool.
GPU_TAINT: dict[str, Value] = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}


rules = Rules()


@rules("pool-name", "terraform-provider-google: name is limited to 40", Stage.CHECK)
def name_is_legal(request: Request) -> str | None:
    if not request.name or re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", request.name):
        return None
    return (
        f'Error 400: Invalid node pool name "{request.name}": must start with a lowercase letter followed by up to 39 '
        "lowercase letters, numbers or hyphens, and cannot end with a hyphen., badRequest"
    )


@rules("pool-node-count", _PROVIDER, Stage.CHECK)
def counts_do_not_compete(request: Request) -> str | None:
    # The provider's documentation forbids node_count beside autoscaling; both would fight for the size for ever.
    if "nodeCount" in request.inputs and "initialNodeCount" in request.inputs:
        return f"Cannot set both initial_node_count and node_count on node pool {request.name}"
    if "nodeCount" in request.inputs and "autoscaling" in request.inputs:
        return f"Cannot set node_count alongside autoscaling on node pool {request.name}"
    return None


@rules("pool-autoscaling-bounds", "terraform-provider-google, resource_container_node_pool.go", Stage.CHECK)
def autoscaling_is_bounded(request: Request) -> str | None:
    scaling = Properties(value) if isinstance(value := request.inputs["autoscaling"], dict) else None
    if scaling is None:
        return None
    per_zone = [name for name in ("minNodeCount", "maxNodeCount") if name in scaling]
    total = [name for name in ("totalMinNodeCount", "totalMaxNodeCount") if name in scaling]
    if per_zone and total:
        return f"Error 400: {per_zone[0]} cannot be used with {total[0]}., badRequest"
    for low, high in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
        if (scaling.number(low) or 0) > (scaling.number(high) or 0) and not scaling.unknown(high):
            return f"Error 400: Autoscaling bounds are wrong: {low} exceeds {high}., badRequest"
    return None


@rules("pool-surge", _GKE, Stage.CHECK)
def upgrades_make_progress(request: Request) -> str | None:
    upgrade = request.inputs["upgradeSettings"]
    if not isinstance(upgrade, dict) or upgrade.get("strategy", "SURGE") != "SURGE":
        return None
    if upgrade.get("maxSurge", 1) == 0 and upgrade.get("maxUnavailable", 0) == 0:
        return "Error 400: max_surge and max_unavailable must not both be 0., badRequest"
    return None


@rules("pool-max-pods", _GKE, Stage.CHECK)
def pod_limit_is_legal(request: Request) -> str | None:
    limit = request.inputs.number("maxPodsPerNode")
    if limit is None or 8 <= limit <= 256:
        return None
    return f"Error 400: max_pods_per_node must be between 8 and 256, got {limit}., badRequest"


@rules("pool-compact-placement", _PLACEMENT, Stage.CHECK)
def compact_placement_is_possible(request: Request) -> str | None:
    found = machine(request)
    if found is None or request.inputs.text("placementPolicy.type") != "COMPACT":
        return None
    limit = found[0].compact_placement
    if limit is None and found[0].accelerator:
        return f"Error 400: Machine type {machine_name(request)} does not support compact placement., badRequest"
    if len(request.inputs.texts("nodeLocations")) > 1:
        return "Error 400: Compact placement requires nodes in a single zone., badRequest"
    if consumption(request.inputs) is Consumption.QUEUED:
        return "Error 400: Compact placement cannot be combined with queued provisioning., badRequest"
    count = request.inputs.number("nodeCount") or 0
    if limit and count > limit:
        return f"Error 400: Compact placement takes at most {limit} nodes of {machine_name(request)}., badRequest"
    return None


@rules("pool-service-account-exists", _GKE, Stage.CREATE)
def service_account_exists(request: Request) -> str | None:
    email = request.inputs.text("nodeConfig.serviceAccount")
    if email is None or account_exists(request.state, email):
        return None
    return f'Error 400: Service account "{email}" does not exist., badRequest'


@rules("pool-policy-exists", _PLACEMENT, Stage.CREATE)
def placement_policy_exists(request: Request) -> str | None:
    name = request.inputs.text("placementPolicy.policyName")
    if name is None:
        return None
    region = region_of(segment(cluster_id(request), "locations") or "")
    id_ = regional_id(name, "resourcePolicies", request.project, region)
    return None if request.state.get(RESOURCE_POLICY, id_) else common.not_found(id_)


def nodes_per_zone(inputs: Properties, zones: int, before: Record | None) -> int:
    """How many nodes stand in each zone. An autoscaled pool keeps its size within its bounds."""
    if "nodeCount" in inputs:
        return inputs.number("nodeCount") or 0
    scaling = inputs["autoscaling"]
    start = inputs.number("initialNodeCount") or 0
    if not isinstance(scaling, dict):
        return start
    now = before.properties.number("nodeCount") if before else None
    bounds = Properties(scaling)
    low = bounds.number("minNodeCount") or -(-(bounds.number("totalMinNodeCount") or 0) // max(zones, 1))
    high = bounds.number("maxNodeCount") or (bounds.number("totalMaxNodeCount") or 0) // max(zones, 1)
    return min(max(start if now is None else now, low), max(high, low))


def _effective_taints(request: Request) -> list[Value]:
    """The taints asked for, and GKE's own for GPUs: which it adds only beside a pool without GPUs."""
    taints: list[Value] = [dict(item.values) for item in request.inputs.items("nodeConfig.taints")]
    asked = {item.text("key") for item in request.inputs.items("nodeConfig.taints")}
    return taints if GPU_TAINT["key"] in asked or not _gpu_taint(request) else [*taints, dict(GPU_TAINT)]


def _gpu_taint(request: Request) -> bool:
    found = machine(request)
    if found is None or found[0].accelerator is None:
        return False
    if request.before:
        effective = request.before.properties.items("nodeConfig.effectiveTaints")
        return GPU_TAINT["key"] in {item.text("key") for item in effective}
    siblings = pools_of(request.state, cluster_id(request))
    return any(not record.properties["nodeConfig.guestAccelerators"] for _, record in siblings)


def pools_of(state: State, cluster: str) -> list[tuple[str, Record]]:
    return [(id_, record) for id_, record in state.of(NODE_POOL) if id_.startswith(f"{cluster}/nodePools/")]


def _outputs(request: Request) -> dict[str, Value]:
    inputs = request.inputs
    zones = zones_of(request)
    record = cluster_of(request)
    groups = [
        f"{common.COMPUTE}projects/{request.project}/zones/{zone}/%s/{group_name(request.id, zone)}-grp"
        for zone in zones
    ]
    return {
        "project": request.project,
        "location": segment(cluster_id(request), "locations"),
        "version": inputs.text("version") or (record.properties.text("masterVersion") if record else None),
        "nodeLocations": [*zones],
        "nodeCount": nodes_per_zone(inputs, len(zones), request.before),
        "instanceGroupUrls": [url % "instanceGroupManagers" for url in groups],
        "managedInstanceGroupUrls": [url % "instanceGroups" for url in groups],
        "maxPodsPerNode": inputs.number("maxPodsPerNode") or 110,
        "networkConfig": _network_config(request),
        "nodeConfig": _node_config(request),
    }


def _network_config(request: Request) -> Value:
    given = request.inputs["networkConfig"]
    networks: list[Value] = [
        {"network": item.network, "subnetwork": item.subnetwork} for item in node_networks(request)
    ]
    config = dict(given) if isinstance(given, dict) else {}
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


def group_name(pool_id: str, zone: str) -> str:
    """The common part of the names of a pool's nodes in one zone: `gke-<cluster>-<pool>-<8 hex>`."""
    names = f"gke-{segment(pool_id, 'clusters')}-{last(pool_id)}"[:48].rstrip("-")
    return f"{names}-{common.short_hash(f'{pool_id} {zone}', 8)}"


NODE_POOL_KIND = Kind(
    token=NODE_POOL,
    service="container.googleapis.com",
    identify=lambda request: f"{cluster_id(request)}/nodePools/{request.name}",
    rules=(*rules.all, *pool_location.rules.all, *pool_networks.rules.all, *node_config.rules.all),
    force_new=frozenset(
        {
            "cluster",
            "initialNodeCount",
            "location",
            "maxPodsPerNode",
            "name",
            "namePrefix",
            "networkConfig.acceleratorNetworkProfile",
            ADDITIONAL,
            "networkConfig.additionalPodNetworkConfigs",
            "networkConfig.createPodRange",
            "networkConfig.podCidrOverprovisionConfig",
            "networkConfig.podIpv4CidrBlock",
            "networkConfig.podRange",
            "networkConfig.subnetwork",
            "placementPolicy",
            "project",
            "queuedProvisioning",
        }
    )
    | node_config.node_config_force_new(),
    compute=_outputs,
    computed=frozenset(
        {"version", "location", "nodeLocations", "nodeConfig.effectiveTaints"}
        | {"instanceGroupUrls", "managedInstanceGroupUrls"}
    ),
    references=frozenset({"cluster", f"{ADDITIONAL}.network", f"{ADDITIONAL}.subnetwork"}),
    defaults={"maxPodsPerNode": 110},
)
