"""The network of a GKE cluster: it must exist with the named ranges, and nothing may overlap."""

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.references import global_id, last, project_of, regional_id
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import NETWORK, SUBNETWORK
from sandbox.cloud.resources.network import profile_of
from sandbox.cloud.tables import region_of

_GKE = "Kubernetes Engine API reference"
_PROVIDER = "terraform-provider-google, resource_container_cluster.go"
_PRIVATE = "cloud.google.com/kubernetes-engine/docs/concepts/private-cluster-concept"

rules = Rules()


def location(request: Request) -> str:
    """The location of the control plane: a zone or a region."""
    return request.inputs.text("location") or request.defaults.zone or request.defaults.region or ""


def network_id(request: Request) -> str:
    return global_id(request.inputs.text("network") or "default", "networks", request.project)


def subnetwork_id(request: Request) -> str | None:
    spelling = request.inputs.text("subnetwork")
    region = region_of(location(request))
    return regional_id(spelling, "subnetworks", request.project, region) if spelling else None


@rules("cluster-master-range", _PRIVATE, Stage.CHECK)
def master_range_is_28(request: Request) -> str | None:
    text = request.inputs.text("privateClusterConfig.masterIpv4CidrBlock")
    if not text:
        return None
    parsed = common.network_of(text)
    if parsed and parsed.prefixlen == 28:
        return None
    return f'Error 400: Invalid master_ipv4_cidr_block "{text}": must be a /28., badRequest'


@rules("cluster-network-exists", _GKE, Stage.CREATE)
def network_exists(request: Request) -> str | None:
    id_ = network_id(request)
    if request.state.get(NETWORK, id_):
        return None
    return f'Error 400: Network "{last(id_)}" does not exist in project "{project_of(id_)}"., badRequest'


@rules("cluster-roce-network", "cloud.google.com/vpc/docs/rdma-network-profiles", Stage.CREATE)
def network_takes_clusters(request: Request) -> str | None:
    profile = profile_of(request.state.get(NETWORK, network_id(request)))
    if profile is None:
        return None
    return (
        f'Error 400: Network "{last(network_id(request))}" has profile {profile}: only MRDMA NICs attach., badRequest'
    )


@rules("cluster-subnetwork-exists", _GKE, Stage.CREATE)
def subnetwork_exists(request: Request) -> str | None:
    id_ = subnetwork_id(request)
    record = request.state.get(SUBNETWORK, id_)
    if record and record.outputs["network"] == common.self_link(network_id(request)):
        return None
    if id_ is None and request.state.get(NETWORK, network_id(request)):
        return f'Error 400: Network "{last(network_id(request))}" requires a subnetwork to be given., badRequest'
    return f'Error 400: Subnetwork "{id_}" not found for network "{network_id(request)}"., badRequest'


@rules("cluster-secondary-ranges", _GKE, Stage.CREATE)
def secondary_ranges_exist(request: Request) -> str | None:
    id_ = subnetwork_id(request) or ""
    names = {name for name, _ in common.ranges_of_subnetwork(request.state, id_) if name}
    chosen = [request.inputs.text(f"ipAllocationPolicy.{role}SecondaryRangeName") for role in ("cluster", "services")]
    for role, name in zip(("Pod", "Services"), chosen, strict=True):
        if name and name not in names:
            return f'Error 400: {role} secondary range "{name}" does not exist in subnetwork "{last(id_)}"., badRequest'
    if chosen[0] and chosen[0] == chosen[1]:
        return f'Error 400: Pod and services secondary ranges must differ, both are "{chosen[0]}"., badRequest'
    return None


@rules("cluster-master-overlap", _GKE, Stage.CREATE)
def master_range_is_free(request: Request) -> str | None:
    master = common.network_of(request.inputs.text("privateClusterConfig.masterIpv4CidrBlock"))
    ranges = (found for _, found in common.ranges_of_subnetwork(request.state, subnetwork_id(request) or ""))
    clash = common.overlapping([master] if master else [], ranges)
    return f"Error 400: master_ipv4_cidr_block {clash[0]} conflicts with {clash[1]}., badRequest" if clash else None
