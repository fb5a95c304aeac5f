"""VPC firewall rules; a RoCE network accepts none."""

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import FIREWALL, NETWORK
from sandbox.cloud.resources.network import network_id, profile_of
from sandbox.cloud.values import Value

_GCE = "Compute Engine API reference"
_PROVIDER = "terraform-provider-google, resource_compute_firewall.go"

rules = Rules()
rules("firewall-name", _GCE, Stage.CHECK)(common.compute_name)


@rules("firewall-source", _PROVIDER, Stage.CHECK)
def ingress_has_a_source(request: Request) -> str | None:
    if request.inputs.text("direction") == "EGRESS" or request.inputs.unknown("direction"):
        return None
    if any(path in request.inputs for path in ("sourceRanges", "sourceTags", "sourceServiceAccounts")):
        return None
    return "one of source_tags, source_ranges, or source_service_accounts must be defined"


@rules("firewall-ranges", _GCE, Stage.CHECK)
def ranges_are_legal(request: Request) -> str | None:
    for path in ("sourceRanges", "destinationRanges"):
        for text in request.inputs.texts(path):
            if common.network_of(text) is None and ":" not in text:
                return common.invalid(f"resource.{path}", text, "Must be a valid CIDR range")
    return None


@rules("firewall-network-exists", _GCE, Stage.CREATE)
def network_exists(request: Request) -> str | None:
    id_ = network_id(request)
    return None if request.state.get(NETWORK, id_) else common.not_found(id_)


@rules("firewall-roce", "cloud.google.com/firewall/docs/firewall-for-roce", Stage.CREATE)
def network_takes_firewall_rules(request: Request) -> str | None:
    profile = profile_of(request.state.get(NETWORK, network_id(request)))
    if profile is None:
        return None
    return common.invalid(
        "resource.network",
        network_id(request),
        f"VPC firewall rules are not supported by the network profile {profile}",
    )


def _outputs(request: Request) -> dict[str, Value]:
    return {
        "project": request.project,
        "network": common.self_link(network_id(request)),
        "selfLink": common.self_link(request.id),
        "creationTimestamp": common.keep(request, "creationTimestamp", common.timestamp()),
        "direction": request.inputs.text("direction") or "INGRESS",
        "priority": 1000 if request.inputs.number("priority") is None else request.inputs.number("priority"),
    }


FIREWALL_KIND = Kind(
    token=FIREWALL,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/global/firewalls/{request.name}",
    rules=tuple(rules.all),
    compute=_outputs,
    computed=frozenset({"selfLink", "creationTimestamp"}),
    references=frozenset({"network"}),
    defaults={"direction": "INGRESS"},
)
