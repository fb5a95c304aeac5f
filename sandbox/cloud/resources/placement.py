"""Resource policies: compact placement and workload policies of accelerator nodes."""

import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import NODE_POOL, RESOURCE_POLICY

_GCE = "Compute Engine API reference"

_KINDS = (
    "diskConsistencyGroupPolicy",
    "groupPlacementPolicy",
    "instanceSchedulePolicy",
    "snapshotSchedulePolicy",
    "workloadPolicy",
)

rules = Rules()
rules("policy-name", _GCE, Stage.CHECK)(common.compute_name)
rules("policy-region", _GCE, Stage.CHECK)(common.region_known)


@rules("policy-one-kind", _GCE, Stage.CHECK)
def policy_says_one_thing(request: Request) -> str | None:
    given = [kind for kind in _KINDS if kind in request.inputs]
    return f"exactly one of {', '.join(_KINDS)} can be specified, got {', '.join(given)}" if len(given) > 1 else None


@rules("policy-workload-topology", "gcloud compute resource-policies create workload-policy", Stage.CHECK)
def topology_is_legal(request: Request) -> str | None:
    topology = request.inputs.text("workloadPolicy.acceleratorTopology")
    if topology is None:
        return None
    if not re.fullmatch(r"\d+x\d+(x\d+)?", topology):
        return common.invalid("resource.workloadPolicy.acceleratorTopology", topology, "Must be of the form 1x72")
    if request.inputs.text("workloadPolicy.type") == "HIGH_AVAILABILITY":
        return common.invalid("resource.workloadPolicy.acceleratorTopology", topology, "Requires type HIGH_THROUGHPUT")
    return None


@rules(
    "policy-rename", "terraform-provider-google-beta: name is not forceNew, and its PATCH goes to the new", Stage.UPDATE
)
def keeps_its_name(request: Request) -> str | None:
    if request.before is None or request.before.properties.text("name") == request.name:
        return None
    return common.not_found(f"projects/{request.project}/regions/{request.region}/resourcePolicies/{request.name}")


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
    compute=lambda request: {
        "project": request.project,
        "region": request.region,
        "selfLink": common.self_link(request.id),
    },
    computed=frozenset({"selfLink"}),
)
