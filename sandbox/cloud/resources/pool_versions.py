"""Which GKE versions are needed for which machines and features."""

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.resources.node_config import consumption, machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_of
from sandbox.cloud.tables import Consumption
from sandbox.cloud.versions import at_least, meets, resolve

_GPUS = "cloud.google.com/kubernetes-engine/docs/how-to/gpus"
_FLEX = "cloud.google.com/kubernetes-engine/docs/how-to/dws-flex-start-training"

rules = Rules()


def version_of(request: Request) -> str | None:
    """The version of the pool's nodes: its own, else that of its cluster; None without a cluster."""
    own = request.inputs.text("version")
    record = cluster_of(request)
    return resolve(own) if own else record.properties.text("masterVersion") if record else None


@rules("pool-version-above-cluster", "cloud.google.com/kubernetes-engine/versioning", Stage.CREATE, Stage.UPDATE)
def nodes_are_not_newer_than_their_cluster(request: Request) -> str | None:
    record, own = cluster_of(request), request.inputs.text("version")
    cluster = record.properties.text("masterVersion") if record else None
    if own is None or cluster is None or at_least(cluster, resolve(own)):
        return None
    return f"Error 400: Node version {resolve(own)} must not be newer than its control plane's, {cluster}., badRequest"


@rules("pool-gke-version", f"{_GPUS}, requirements; GKE release notes of 2026-08-25 for TCPX", Stage.CREATE)
def machine_runs_on_this_version(request: Request) -> str | None:
    found, version = machine(request), version_of(request)
    if found is None or version is None or meets(version, found[0].gke_floors):
        return None
    return (
        f"Error 400: Machine type {machine_name(request)} is not supported in version {version}; "
        f"it requires {' or '.join(found[0].gke_floors)} or later of the same minor version., badRequest"
    )


@rules("pool-flex-start-version", _FLEX, Stage.CREATE)
def flex_start_runs_on_this_version(request: Request) -> str | None:
    found, version = machine(request), version_of(request)
    floor = found[0].flex_start_floor if found else None
    if floor is None or version is None or consumption(request.inputs) is not Consumption.FLEX_START:
        return None
    return None if at_least(version, floor) else f"Error 400: Flex-start requires version {floor} or later., badRequest"
