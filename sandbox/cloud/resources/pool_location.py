"""The location of a node pool: its cluster, its zones, and whether Google offers its machines there."""

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.references import relative, segment
from sandbox.cloud.resources import cluster_network
from sandbox.cloud.resources.common import CLUSTER
from sandbox.cloud.resources.node_config import machine, machine_name, not_offered
from sandbox.cloud.store import Record
from sandbox.cloud.tables import region_of

_GKE = "Kubernetes Engine API reference"
_GPU_TYPES = "cloud.google.com/compute/docs/gpus"

rules = Rules()


def cluster_id(request: Request) -> str:
    """The id of the pool's cluster, which is given by its name and `location`, or by its id."""
    spelling = relative(request.inputs.text("cluster") or "")
    if spelling.startswith("projects/"):
        return spelling.replace("/zones/", "/locations/")
    return f"projects/{request.project}/locations/{cluster_network.location(request)}/clusters/{spelling}"


def cluster_of(request: Request) -> Record | None:
    return request.state.get(CLUSTER, cluster_id(request))


def zones_of(request: Request) -> list[str]:
    record = cluster_of(request)
    return request.inputs.texts("nodeLocations") or (record.properties.texts("nodeLocations") if record else [])


@rules("pool-locations", _GKE, Stage.CHECK)
def node_locations_belong(request: Request) -> str | None:
    if request.inputs.unknown("cluster") or request.inputs.unknown("location"):
        return None
    place = segment(cluster_id(request), "locations") or ""
    for zone in request.inputs.texts("nodeLocations"):
        if not request.tables.locations.is_zone(zone) or region_of(zone) != region_of(place):
            return f'Error 400: Node location "{zone}" is not a zone of region "{region_of(place)}"., badRequest'
    return None


@rules("pool-cluster-exists", _GKE, Stage.CREATE)
def cluster_exists(request: Request) -> str | None:
    id_ = cluster_id(request)
    if request.state.get(CLUSTER, id_):
        return None
    return f"Error 404: Not found: {id_}., notFound"


@rules("pool-location", _GKE, Stage.CREATE)
def location_is_the_clusters(request: Request) -> str | None:
    place = request.inputs.text("location")
    there = segment(cluster_id(request), "locations")
    if place is None or place == there:
        return None
    return f'Error 400: Location "{place}" of the node pool is not its cluster\'s, "{there}"., badRequest'


@rules("pool-machine-everywhere", _GPU_TYPES, Stage.CREATE)
def machine_type_is_in_the_clusters_zones(request: Request) -> str | None:
    found = machine(request)
    for zone in zones_of(request):
        if found and not found[0].offered_in(zone):
            return not_offered(machine_name(request), zone)
    return None
