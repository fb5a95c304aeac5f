"""How close together a pool's machines are: compact placement, and workload policies of NVLink domains."""

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.references import regional_id, segment
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import RESOURCE_POLICY
from sandbox.cloud.resources.node_config import consumption, machine, machine_name
from sandbox.cloud.resources.pool_location import cluster_id
from sandbox.cloud.store import Record
from sandbox.cloud.tables import Consumption, region_of

_PLACEMENT = "cloud.google.com/kubernetes-engine/docs/how-to/compact-placement"
_A4X = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x"
_TOOLKIT = "Cluster Toolkit, modules/compute/gke-node-pool, preconditions"

rules = Rules()
rules("pool-placement-type", _PLACEMENT, Stage.CHECK)(common.one_of("placementPolicy.type", "COMPACT"))


def _compact(request: Request) -> bool:
    return request.inputs.text("placementPolicy.type") == "COMPACT"


@rules("pool-compact-placement", _PLACEMENT, Stage.CHECK)
def compact_placement_is_possible(request: Request) -> str | None:
    found = machine(request)
    if found is None or not _compact(request):
        return None
    limit = found[0].compact_placement
    if limit is None and found[0].accelerator and "placementPolicy.policyName" not in request.inputs:
        return f"Error 400: Machine type {machine_name(request)} does not support compact placement., badRequest"
    if len(request.inputs.texts("nodeLocations")) > 1:
        return "Error 400: Compact placement requires nodes in a single zone., badRequest"
    count = max(request.inputs.number("nodeCount") or 0, request.inputs.number("autoscaling.maxNodeCount") or 0)
    if limit and count > limit:
        return f"Error 400: Compact placement takes at most {limit} nodes of {machine_name(request)}., badRequest"
    return None


@rules("pool-compact-flex-start", _TOOLKIT, Stage.CHECK)
def flex_start_machines_stand_close(request: Request) -> str | None:
    found = machine(request)
    if found is None or not _compact(request) or consumption(request.inputs) is not Consumption.FLEX_START:
        return None
    if found[0].flex_start_compact:
        return None
    return (
        f"Error 400: Machine type {machine_name(request)} does not support compact placement by flex-start., badRequest"
    )


@rules("pool-compact-blue-green", _TOOLKIT, Stage.CHECK)
def upgrades_keep_the_place(request: Request) -> str | None:
    if not _compact(request) or request.inputs.text("upgradeSettings.strategy") != "BLUE_GREEN":
        return None
    return "Error 400: Compact placement is not supported with blue-green upgrades., badRequest"


def _policy_id(request: Request) -> str | None:
    name = request.inputs.text("placementPolicy.policyName")
    region = region_of(segment(cluster_id(request), "locations") or "")
    return regional_id(name, "resourcePolicies", request.project, region) if name else None


def _policy(request: Request) -> Record | None:
    return request.state.get(RESOURCE_POLICY, _policy_id(request))


@rules("pool-policy-exists", _PLACEMENT, Stage.CREATE)
def placement_policy_exists(request: Request) -> str | None:
    id_ = _policy_id(request)
    return None if id_ is None or _policy(request) else common.not_found(id_)


@rules("pool-workload-policy", _A4X, Stage.CREATE)
def domain_is_formed_by_a_workload_policy(request: Request) -> str | None:
    found = machine(request)
    topology = found[0].accelerator_topology if found else None
    if topology is None:
        return None
    record = _policy(request)
    if (
        record
        and record.properties.text("workloadPolicy.type") == "HIGH_THROUGHPUT"
        and record.properties.text("workloadPolicy.acceleratorTopology") == topology
    ):
        return None
    return (
        f"Error 400: Node pools of machine type {machine_name(request)} require a workload policy of type "
        f"HIGH_THROUGHPUT with accelerator topology {topology}., badRequest"
    )


@rules("pool-workload-policy-machine", _A4X, Stage.CREATE)
def topology_fits_the_machine(request: Request) -> str | None:
    found, record = machine(request), _policy(request)
    topology = record.properties.text("workloadPolicy.acceleratorTopology") if record else None
    if found is None or topology is None or found[0].accelerator_topology == topology:
        return None
    return (
        f"Error 400: Accelerator topology {topology} of the workload policy is not supported by machine type "
        f"{machine_name(request)}., badRequest"
    )
