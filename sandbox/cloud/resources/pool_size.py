"""The number of a pool's nodes, the addresses that they use, and the limits of both."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.references import last, relative
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import NODE_POOL
from sandbox.cloud.resources.node_config import consumption, machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_id, cluster_of, zones_of
from sandbox.cloud.resources.pool_networks import ADDITIONAL, node_networks
from sandbox.cloud.store import Record, State
from sandbox.cloud.tables import Consumption
from sandbox.cloud.values import Properties

DEFAULT_MAX_PODS = 110
# The addresses of the network and the gateway, and the last two of a range.
_RESERVED_ADDRESSES = 4

_PROVIDER = "terraform-provider-google, resource_container_node_pool.go"
_GKE = "Kubernetes Engine API reference"
_FLEX = "cloud.google.com/kubernetes-engine/docs/how-to/dws-flex-start-training"
_PODS = "cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr"
_A4X = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x"
_SUBNETS = "cloud.google.com/vpc/docs/subnets"

rules = Rules()


@rules("pool-node-count", _PROVIDER, Stage.CHECK)
def counts_do_not_compete(request: Request) -> str | None:
    # The provider's documentation forbids node_count together with autoscaling, since both would set the size.
    if "nodeCount" in request.inputs and "initialNodeCount" in request.inputs:
        return f"Cannot set both initial_node_count and node_count on node pool {request.name}"
    if "nodeCount" in request.inputs and "autoscaling" in request.inputs:
        return f"Cannot set node_count alongside autoscaling on node pool {request.name}"
    return None


@rules("pool-autoscaling-bounds", _PROVIDER, Stage.CHECK)
def autoscaling_is_bounded(request: Request) -> str | None:
    scaling = _autoscaling(request.inputs)
    if scaling is None:
        return None
    per_zone = [name for name in ("minNodeCount", "maxNodeCount") if name in scaling]
    total = [name for name in ("totalMinNodeCount", "totalMaxNodeCount") if name in scaling]
    if per_zone and total:
        return f"Error 400: {per_zone[0]} cannot be used with {total[0]}., badRequest"
    for low, high in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
        if (scaling.number(low) or 0) > (scaling.number(high) or 0) and not scaling.unknown(high):
            return f"Error 400: Autoscaling bounds are wrong: {low} exceeds {high}., badRequest"
    if (
        not scaling.number("maxNodeCount")
        and not scaling.number("totalMaxNodeCount")
        and not scaling.unknown("maxNodeCount")
    ):
        return "Error 400: Autoscaling requires a maximum of at least 1 node., badRequest"
    return None


@rules("pool-autoscaling-initial", _GKE, Stage.CHECK)
def starts_within_its_bounds(request: Request) -> str | None:
    scaling = _autoscaling(request.inputs)
    start = request.inputs.number("initialNodeCount")
    if scaling is None or start is None or scaling.number("maxNodeCount") is None:
        return None
    low, high = scaling.number("minNodeCount") or 0, scaling.number("maxNodeCount") or 0
    # A pool may begin with no nodes, whatever its bounds: the autoscaler adds them.
    if start == 0 or low <= start <= high:
        return None
    return f"Error 400: initial_node_count {start} is not between {low} and {high}., badRequest"


@rules("pool-autoscaling-machine", _A4X, Stage.CHECK)
def machine_is_scaled(request: Request) -> str | None:
    found = machine(request)
    if found is None or found[0].autoscaling or _autoscaling(request.inputs) is None:
        return None
    return f"Error 400: Machine type {machine_name(request)} does not support cluster autoscaling., badRequest"


@rules("pool-flex-start-count", _FLEX, Stage.CHECK)
def flex_start_scales(request: Request) -> str | None:
    count = request.inputs.number("nodeCount") or request.inputs.number("initialNodeCount") or 0
    if consumption(request.inputs) is not Consumption.FLEX_START or not count:
        return None
    return "Error 400: Flex-start node pools start with 0 nodes and are autoscaled., badRequest"


@rules("pool-flex-start-autoscaling", _FLEX, Stage.CHECK)
def flex_start_is_autoscaled_from_zero(request: Request) -> str | None:
    if consumption(request.inputs) is not Consumption.FLEX_START or request.inputs.unknown("autoscaling"):
        return None
    if _autoscaling(request.inputs) is not None:
        return None
    return "Error 400: Flex-start node pools require autoscaling to be enabled., badRequest"


@rules("pool-max-pods", _GKE, Stage.CHECK)
def pod_limit_is_legal(request: Request) -> str | None:
    limit = request.inputs.number("maxPodsPerNode")
    if limit is None or 8 <= limit <= 256:
        return None
    return f"Error 400: max_pods_per_node must be between 8 and 256, got {limit}., badRequest"


@rules("pool-nodes-per-pool", _A4X, Stage.CREATE, Stage.UPDATE)
def pool_is_one_domain(request: Request) -> str | None:
    found = machine(request)
    limit = found[0].max_nodes_per_pool if found else None
    if limit is None or node_count(request) <= limit:
        return None
    return (
        f"Error 400: A node pool of machine type {machine_name(request)} takes at most {limit} nodes, "
        f"one NVLink domain, not {node_count(request)}., badRequest"
    )


@rules("pool-pod-addresses", _PODS, Stage.CREATE, Stage.UPDATE)
def pods_have_addresses(request: Request) -> str | None:
    cluster = cluster_of(request)
    if cluster is None:
        return None
    default = cluster.properties.text("ipAllocationPolicy.clusterSecondaryRangeName")
    name = request.inputs.text("networkConfig.podRange") or default
    subnetwork = relative(cluster.properties.text("subnetwork") or "")
    block = dict(common.ranges_of_subnetwork(request.state, subnetwork)).get(name or "-")
    if block is None:
        return None
    taken = sum(
        pool.nodes * pod_addresses(pool.max_pods) for pool in _pools(request) if (pool.pod_range or default) == name
    )
    return None if taken <= block.num_addresses else _exhausted(f"{subnetwork}-{name}", block)


@rules("pool-node-addresses", _SUBNETS, Stage.CREATE, Stage.UPDATE)
def nodes_have_addresses(request: Request) -> str | None:
    cluster = cluster_of(request)
    subnetwork = relative(cluster.properties.text("subnetwork") or "") if cluster else ""
    primary = dict(common.ranges_of_subnetwork(request.state, subnetwork)).get("")
    nodes = sum(pool.nodes for pool in _pools(request))
    if primary is None or nodes <= primary.num_addresses - _RESERVED_ADDRESSES:
        return None
    return _exhausted(subnetwork, primary)


@rules("pool-nic-addresses", _SUBNETS, Stage.CREATE, Stage.UPDATE)
def nics_have_addresses(request: Request) -> str | None:
    for item in node_networks(request):
        primary = dict(common.ranges_of_subnetwork(request.state, item.subnetwork)).get("")
        nodes = sum(pool.nodes for pool in _pools(request) if last(item.subnetwork) in pool.subnetworks)
        if primary and nodes > primary.num_addresses - _RESERVED_ADDRESSES:
            return _exhausted(item.subnetwork, primary)
    return None


def _exhausted(where: str, block: common.IPv4) -> str:
    return f"Google Compute Engine: IP_SPACE_EXHAUSTED: IP space of '{where}' ({block}) is exhausted."


def pod_addresses(max_pods: int) -> int:
    """The number of addresses that GKE gives a node for its pods: a power of two, at least twice as many as the
    pods."""
    return 2 ** math.ceil(math.log2(2 * max_pods))


@dataclass(frozen=True)
class _Pool:
    nodes: int
    max_pods: int
    pod_range: str | None
    subnetworks: frozenset[str]


def _pools(request: Request) -> Iterator[_Pool]:
    """Every pool of the cluster, with the requested one as it would be."""
    yield _pool(request.inputs, node_count(request))
    for id_, record in pools_of(request.state, cluster_id(request)):
        if id_ != request.id:
            properties = record.properties
            zones = len(properties.texts("nodeLocations"))
            yield _pool(properties, (properties.number("nodeCount") or 0) * zones)


def _pool(properties: Properties, nodes: int) -> _Pool:
    return _Pool(
        nodes=nodes,
        max_pods=properties.number("maxPodsPerNode") or DEFAULT_MAX_PODS,
        pod_range=properties.text("networkConfig.podRange"),
        subnetworks=frozenset(last(item.text("subnetwork") or "") for item in properties.items(ADDITIONAL)),
    )


def pools_of(state: State, cluster: str) -> list[tuple[str, Record]]:
    return [(id_, record) for id_, record in state.of(NODE_POOL) if id_.startswith(f"{cluster}/nodePools/")]


def node_count(request: Request) -> int:
    """The number of nodes that the pool is to have."""
    zones = len(zones_of(request))
    return zones * nodes_per_zone(request.inputs, zones, request.before)


def nodes_per_zone(inputs: Properties, zones: int, before: Record | None) -> int:
    """The number of nodes in each zone. An autoscaled pool keeps its size if that is within its bounds."""
    if "nodeCount" in inputs:
        return inputs.number("nodeCount") or 0
    start = inputs.number("initialNodeCount") or 0
    if _autoscaling(inputs) is None:
        return start
    now = before.properties.number("nodeCount") if before else None
    low, high = bounds_per_zone(inputs, zones)
    return min(max(start if now is None else now, low), max(high, low))


def bounds_per_zone(inputs: Properties, zones: int) -> tuple[int, int]:
    """The smallest and the largest number of nodes in each zone for the autoscaler; 0 and 0 without one."""
    scaling = _autoscaling(inputs) or Properties({})
    low = scaling.number("minNodeCount") or -(-(scaling.number("totalMinNodeCount") or 0) // max(zones, 1))
    high = scaling.number("maxNodeCount") or (scaling.number("totalMaxNodeCount") or 0) // max(zones, 1)
    return low, high


def _autoscaling(inputs: Properties) -> Properties | None:
    value = inputs["autoscaling"]
    return Properties(value) if isinstance(value, dict) else None
