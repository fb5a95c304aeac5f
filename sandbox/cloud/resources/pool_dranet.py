"""GKE's managed DRANET and automatic accelerator networks: what they require and what they exclude."""

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.resources import common
from sandbox.cloud.resources.node_config import machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_id, cluster_of, zones_of
from sandbox.cloud.resources.pool_networks import ADDITIONAL, AUTO_PROFILE, DRANET_LABEL, PROFILE, uses_dranet
from sandbox.cloud.resources.pool_size import pools_of
from sandbox.cloud.resources.pool_versions import version_of
from sandbox.cloud.values import Properties
from sandbox.cloud.versions import NETWORKING_DEVICE_CLASSES, at_least

_DRANET = "cloud.google.com/kubernetes-engine/docs/how-to/allocate-network-resources-dra"
_AUTO = "cloud.google.com/kubernetes-engine/docs/how-to/config-auto-net-for-accelerators"

rules = Rules()
rules("pool-network-profile", _AUTO, Stage.CHECK)(common.one_of(PROFILE, AUTO_PROFILE))


@rules("pool-network-profile-machine", _AUTO, Stage.CHECK)
def profile_fits_the_machine(request: Request) -> str | None:
    found = machine(request)
    if found is None or PROFILE not in request.inputs or found[0].accelerator_network_profile:
        return None
    return f"Error 400: Machine type {machine_name(request)} does not support accelerator network profiles., badRequest"


@rules("pool-network-profile-alone", "Cluster Toolkit, modules/compute/gke-node-pool, enable_dranet", Stage.CHECK)
def profile_excludes_networks_of_ones_own(request: Request) -> str | None:
    if PROFILE not in request.inputs or not request.inputs[ADDITIONAL]:
        return None
    return (
        "Error 400: accelerator_network_profile makes the node networks itself and cannot be combined with "
        "additional_node_network_configs., badRequest"
    )


@rules("pool-dranet-machine", _DRANET, Stage.CHECK)
def machine_has_dranet(request: Request) -> str | None:
    found = machine(request)
    if found is None or not uses_dranet(request.inputs) or found[0].managed_dranet:
        return None
    return f"Error 400: Machine type {machine_name(request)} does not support GKE managed DRANET., badRequest"


def _networks_by_gke(request: Request) -> str | None:
    """The property by which GKE itself configures the networks of the pool's nodes; None if there is none."""
    if PROFILE in request.inputs:
        return "accelerator_network_profile"
    return DRANET_LABEL if uses_dranet(request.inputs) else None


@rules("pool-dranet-zone", _DRANET, Stage.CREATE)
def nodes_are_in_one_zone(request: Request) -> str | None:
    what = _networks_by_gke(request)
    if what is None or len(zones_of(request)) == 1:
        return None
    return f"Error 400: {what} requires a node pool in a single zone., badRequest"


@rules("pool-dranet-datapath", _DRANET, Stage.CREATE)
def cluster_has_dataplane_v2(request: Request) -> str | None:
    what, record = _networks_by_gke(request), cluster_of(request)
    if what is None or record is None or record.properties.text("datapathProvider") == "ADVANCED_DATAPATH":
        return None
    return f"Error 400: {what} requires a cluster with GKE Dataplane V2., badRequest"


@rules("pool-dranet-version", _DRANET, Stage.CREATE)
def version_has_dranet(request: Request) -> str | None:
    version = version_of(request)
    if version is None or not uses_dranet(request.inputs) or at_least(version, NETWORKING_DEVICE_CLASSES):
        return None
    return f"Error 400: GKE managed DRANET requires version {NETWORKING_DEVICE_CLASSES} or later., badRequest"


@rules("pool-dranet-exclusive", _DRANET, Stage.CREATE)
def cluster_hands_out_nics_in_one_way(request: Request) -> str | None:
    # Device-type Network objects and DRANET must not be mixed in one cluster.
    mine = _by_device_networks(request.inputs)
    for id_, record in pools_of(request.state, cluster_id(request)):
        other = record.properties
        if (mine and uses_dranet(other)) or (uses_dranet(request.inputs) and _by_device_networks(other)):
            return (
                "Error 400: GKE managed DRANET cannot be combined with Device-type networks in one cluster; "
                f"the node pool {id_.rsplit('/', 1)[-1]} uses the other way., badRequest"
            )
    return None


def _by_device_networks(pool: Properties) -> bool:
    return bool(pool[ADDITIONAL]) and not uses_dranet(pool)
