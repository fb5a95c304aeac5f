"""The extra networks of a pool's nodes: as many as the machine has NICs, each of the right kind, and none twice."""

from dataclasses import dataclass

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.references import global_id, last, regional_id, relative, segment
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import NETWORK, SUBNETWORK
from sandbox.cloud.resources.network import google_made_subnetwork, nic_kind, profile_of
from sandbox.cloud.resources.node_config import machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_id, cluster_of, zones_of
from sandbox.cloud.tables import NicKind, region_of
from sandbox.cloud.values import Properties

ADDITIONAL = "networkConfig.additionalNodeNetworkConfigs"
PROFILE = "networkConfig.acceleratorNetworkProfile"
AUTO_PROFILE = "auto"
DRANET_LABEL = "cloud.google.com/gke-networking-dra-driver"

_MULTI_NETWORK = "cloud.google.com/kubernetes-engine/docs/how-to/setup-multinetwork-support-for-pods"
_GPU_NETWORK = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_A4X_MAX = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x-max"

rules = Rules()


@dataclass(frozen=True)
class NodeNetwork:
    """One extra interface of a pool's nodes, by the ids of its network and subnetwork."""

    network: str
    subnetwork: str


def node_networks(request: Request) -> list[NodeNetwork]:
    region = region_of(segment(cluster_id(request), "locations") or "")
    return [
        NodeNetwork(
            network=global_id(item.text("network") or "", "networks", request.project),
            subnetwork=regional_id(item.text("subnetwork") or "", "subnetworks", request.project, region),
        )
        for item in request.inputs.items(ADDITIONAL)
    ]


def uses_dranet(pool: Properties) -> bool:
    """Whether GKE's managed DRANET allocates the NICs of the pool's nodes."""
    return pool.mapping("nodeConfig.labels").get(DRANET_LABEL) == "true"


@rules("pool-nic-count", _GPU_NETWORK, Stage.CHECK)
def networks_are_the_machines_nics(request: Request) -> str | None:
    # A pool without extra networks is legal: its nodes have only the primary interface.
    found = machine(request)
    value = request.inputs[ADDITIONAL]
    if found is None or not isinstance(value, list) or not value or len(value) == len(found[1].nic_kinds):
        return None
    return (
        f"Error 400: Machine type {machine_name(request)} has {len(found[1].nic_kinds)} additional network interfaces, "
        f"but {len(value)} additional node networks are given., badRequest"
    )


@rules("pool-multi-networking-machine", _A4X_MAX, Stage.CHECK)
def machine_has_multi_networking(request: Request) -> str | None:
    found = machine(request)
    if found is None or found[0].multi_networking or not request.inputs[ADDITIONAL] or uses_dranet(request.inputs):
        return None
    return (
        f"Error 400: Machine type {machine_name(request)} does not support multi-networking; "
        "its networks are for GKE managed DRANET., badRequest"
    )


@rules("pool-network-twice", _MULTI_NETWORK, Stage.CHECK)
def subnetworks_are_distinct(request: Request) -> str | None:
    subnetworks = [last(item.text("subnetwork") or "") for item in request.inputs.items(ADDITIONAL)]
    twice = next((name for name in subnetworks if name and subnetworks.count(name) > 1), None)
    return f'Error 400: Subnetwork "{twice}" is used by more than one network interface., badRequest' if twice else None


@rules("pool-multi-networking", _MULTI_NETWORK, Stage.CREATE)
def cluster_has_multi_networking(request: Request) -> str | None:
    record = cluster_of(request)
    if record is None or not node_networks(request) or record.properties.flag("enableMultiNetworking"):
        return None
    return (
        "Error 400: Additional node networks require a cluster with multi-networking; "
        f"{request.inputs.text('cluster')} was created without., badRequest"
    )


@rules("pool-networks-exist", _MULTI_NETWORK, Stage.CREATE)
def networks_exist(request: Request) -> str | None:
    for item in node_networks(request):
        if request.state.get(NETWORK, item.network) is None:
            return common.not_found(item.network)
        if item.subnetwork == google_made_subnetwork(request.state.get(NETWORK, item.network), request.tables):
            continue
        subnetwork = request.state.get(SUBNETWORK, item.subnetwork)
        if subnetwork is None:
            return common.not_found(item.subnetwork)
        if subnetwork.outputs["network"] != common.self_link(item.network):
            return f'Error 400: Subnetwork "{item.subnetwork}" does not belong to network "{item.network}"., badRequest'
    return None


@rules("pool-network-is-clusters", _MULTI_NETWORK, Stage.CREATE)
def networks_are_not_the_clusters(request: Request) -> str | None:
    record = cluster_of(request)
    for item in node_networks(request):
        if record and record.outputs["network"] == item.network:
            return (
                f'Error 400: Additional node network "{last(item.network)}" is the cluster\'s own network., badRequest'
            )
    return None


@rules("pool-nic-kinds", _GPU_NETWORK, Stage.CREATE)
def nics_fit_their_networks(request: Request) -> str | None:
    found = machine(request)
    if found is None:
        return None
    for position, (item, kind) in enumerate(zip(node_networks(request), found[1].nic_kinds, strict=False)):
        takes = nic_kind(request.state.get(NETWORK, item.network), request.tables)
        if takes is not (NicKind.GVNIC if kind.ordinary else kind):
            return (
                f"Error 400: Network interface {position + 1} of {machine_name(request)} is {kind}, but network "
                f'"{last(item.network)}" takes {takes} interfaces only., badRequest'
            )
    return None


@rules("pool-gvnic-networks", "cloud.google.com/vpc/docs/multiple-interfaces-concepts", Stage.CREATE)
def gvnics_are_in_distinct_networks(request: Request) -> str | None:
    ordinary = [
        item.network
        for item in node_networks(request)
        if nic_kind(request.state.get(NETWORK, item.network), request.tables) is NicKind.GVNIC
    ]
    twice = next((name for name in ordinary if ordinary.count(name) > 1), None)
    if twice is None:
        return None
    return f'Error 400: Networks must be distinct for network interfaces of one node: "{last(twice)}"., badRequest'


@rules("pool-network-overlap", _MULTI_NETWORK, Stage.CREATE)
def networks_do_not_overlap(request: Request) -> str | None:
    record = cluster_of(request)
    own = relative(record.properties.text("subnetwork") or "") if record else ""
    seen = [(own, found) for _, found in common.ranges_of_subnetwork(request.state, own)]
    for item in node_networks(request):
        mine = [found for _, found in common.ranges_of_subnetwork(request.state, item.subnetwork)]
        for other, taken in seen:
            clash = common.overlapping(mine, [taken])
            if clash and other != item.subnetwork:
                return (
                    f'Error 400: Range {clash[0]} of subnetwork "{last(item.subnetwork)}" overlaps {clash[1]} of '
                    f'"{last(other)}": networks of one cluster must not overlap., badRequest'
                )
        seen += [(item.subnetwork, found) for found in mine]
    return None


@rules("pool-roce-zone", "cloud.google.com/vpc/docs/rdma-network-profiles", Stage.CREATE)
def roce_network_is_of_the_zone(request: Request) -> str | None:
    for item in node_networks(request):
        record = request.state.get(NETWORK, item.network)
        found = request.tables.locations.profile(profile_of(record) or "")
        for zone in zones_of(request):
            if found and found[1] != zone:
                return f'Error 400: Network "{last(item.network)}" is bound to zone {found[1]}, not {zone}., badRequest'
    return None
