"""Resource policies: compact placement and workload policies of accelerator nodes."""

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import NODE_POOL, RESOURCE_POLICY

_GCE = "Compute Engine API reference"

rules = Rules()
rules("policy-name", _GCE, Stage.CHECK)(common.compute_name)
rules("policy-region", _GCE, Stage.CHECK)(common.region_known)
rules("policy-workload-type", _GCE, Stage.CHECK)(
    common.one_of("workloadPolicy.type", "HIGH_AVAILABILITY", "HIGH_THROUGHPUT")
)
rules("policy-collocation", _GCE, Stage.CHECK)(common.one_of("groupPlacementPolicy.collocation", "COLLOCATED"))


@rules("policy-in-use", _GCE, Stage.DELETE)
def policy_is_unused(request: Request) -> str | None:
    for pool, record in request.state.of(NODE_POOL):
        if last(record.properties.text("placementPolicy.policyName") or "") == request.name:
            return common.in_use("resource policy", request.id, pool)
    return None


RESOURCE_POLICY_KIND = Kind(
    token=RESOURCE_POLICY,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/regions/{request.region}/resourcePolicies/{request.name}",
    rules=tuple(rules.all),
    force_new=frozenset(
        {
            "name",
            "diskConsistencyGroupPolicy",
            "groupPlacementPolicy",
            "instanceSchedulePolicy",
            "snapshotSchedulePolicy",
        }
        | {"workloadPolicy", "region", "project"}
    ),
    compute=lambda request: {
        "project": request.project,
        "region": request.region,
        "selfLink": common.self_link(request.id),
    },
    computed=frozenset({"selfLink"}),
)
