"""Subnetworks: their ranges must be legal and free, and their network must accept them."""

import ipaddress

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last, segment
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import CLUSTER, NETWORK, NODE_POOL, SUBNETWORK, IPv4
from sandbox.cloud.resources.network import NODE_NETWORKS, google_made_subnetwork, network_id, profile_of
from sandbox.cloud.store import State
from sandbox.cloud.tables import region_of
from sandbox.cloud.values import Value

_GCE = "Compute Engine API reference"
_RDMA = "cloud.google.com/vpc/docs/rdma-network-profiles"

subnetwork_rules = Rules()
subnetwork_rules("subnetwork-name", _GCE, Stage.CHECK)(common.compute_name)
subnetwork_rules("subnetwork-region", _GCE, Stage.CHECK)(common.region_known)


def _own_ranges(request: Request) -> list[tuple[str, str]]:
    """All ranges that are asked for, as (field, text)."""
    primary = request.inputs.text("ipCidrRange")
    ranges = [("resource.ipCidrRange", primary)] if primary else []
    for index, item in enumerate(request.inputs.items("secondaryIpRanges")):
        text = item.text("ipCidrRange")
        if text:
            ranges.append((f"resource.secondaryIpRanges[{index}].ipCidrRange", text))
    return ranges


@subnetwork_rules("subnetwork-range-format", "cloud.google.com/vpc/docs/subnets, IPv4 subnet ranges", Stage.CHECK)
def ranges_are_legal(request: Request) -> str | None:
    for field, text in _own_ranges(request):
        try:
            parsed = ipaddress.IPv4Network(text)
        except ValueError:
            return common.invalid(field, text, "Must be a CIDR address range that is contained in the RFC1918 ranges")
        if not 4 <= parsed.prefixlen <= 29:
            return common.invalid(field, text, "The prefix length must be between 4 and 29")
    return None


# Google also accepts public ranges that are used privately, with a warning in its console; the stand-in refuses none of
# them.
_PROHIBITED = [IPv4(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")]


@subnetwork_rules("subnetwork-range-prohibited", "cloud.google.com/vpc/docs/subnets, prohibited ranges", Stage.CHECK)
def ranges_are_not_prohibited(request: Request) -> str | None:
    for field, text in _own_ranges(request):
        parsed = common.network_of(text)
        if parsed and common.overlapping([parsed], _PROHIBITED):
            return common.invalid(field, text, "The range is not allowed in a VPC network")
    return None


@subnetwork_rules("subnetwork-ranges-disjoint", "cloud.google.com/vpc/docs/subnets", Stage.CHECK)
def own_ranges_are_disjoint(request: Request) -> str | None:
    seen: list[IPv4] = []
    for field, text in _own_ranges(request):
        parsed = common.network_of(text)
        if parsed is None:
            continue
        clash = common.overlapping([parsed], seen)
        if clash:
            return common.invalid(field, text, f"The range conflicts with {clash[1]} of the same subnetwork")
        seen.append(parsed)
    return None


@subnetwork_rules("subnetwork-range-names", _GCE, Stage.CHECK)
def range_names_are_unique(request: Request) -> str | None:
    names = [item.text("rangeName") for item in request.inputs.items("secondaryIpRanges")]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    return common.invalid("resource.secondaryIpRanges", twice, "The range name is used twice") if twice else None


@subnetwork_rules("subnetwork-network-exists", _GCE, Stage.CREATE)
def network_exists(request: Request) -> str | None:
    id_ = network_id(request)
    return None if request.state.get(NETWORK, id_) else common.not_found(id_)


@subnetwork_rules("subnetwork-auto-mode", _GCE, Stage.CREATE)
def network_is_custom(request: Request) -> str | None:
    network = request.state.get(NETWORK, network_id(request))
    if network is None or not network.properties.flag("autoCreateSubnetworks"):
        return None
    return common.invalid(
        "resource.network", network_id(request), "Network must be in custom subnet mode to have subnetworks of its own"
    )


@subnetwork_rules("subnetwork-metal", "Cluster Toolkit, examples/gke-a4x-max-bm", Stage.CREATE)
def metal_network_has_googles_own(request: Request) -> str | None:
    made = google_made_subnetwork(request.state.get(NETWORK, network_id(request)), request.tables)
    if made is None:
        return None
    return common.invalid(
        "resource.network",
        network_id(request),
        f"Its network profile has a subnetwork of Google's own only, {last(made)}",
    )


@subnetwork_rules("subnetwork-roce-region", _RDMA, Stage.CREATE)
def roce_subnetwork_in_zones_region(request: Request) -> str | None:
    profile = profile_of(request.state.get(NETWORK, network_id(request)))
    found = request.tables.locations.profile(profile or "")
    if found is None or request.region == region_of(found[1]):
        return None
    return common.invalid(
        "resource.region",
        request.region,
        f"The network profile {profile} allows subnetworks in region {region_of(found[1])} only",
    )


@subnetwork_rules("subnetwork-overlap", "cloud.google.com/vpc/docs/subnets", Stage.CREATE, Stage.UPDATE)
def ranges_conflict_with_no_neighbour(request: Request) -> str | None:
    mine = [parsed for _, text in _own_ranges(request) if (parsed := common.network_of(text))]
    for id_ in subnetworks_of(request.state, network_id(request)):
        if id_ == request.id:
            continue
        clash = common.overlapping(mine, (found for _, found in common.ranges_of_subnetwork(request.state, id_)))
        if clash:
            return (
                f"Error 400: Invalid IPCidrRange: {clash[0]} conflicts with existing subnetwork '{last(id_)}' "
                f"in region '{segment(id_, 'regions')}'., badRequest"
            )
    return None


@subnetwork_rules("subnetwork-range-in-use", "cloud.google.com/vpc/docs/subnets", Stage.UPDATE)
def removed_ranges_are_unused(request: Request) -> str | None:
    kept = {item.text("rangeName") for item in request.inputs.items("secondaryIpRanges")}
    for user, record in request.state.of(CLUSTER):
        if record.properties.text("subnetwork") != common.self_link(request.id):
            continue
        for role in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
            name = record.properties.text(f"ipAllocationPolicy.{role}")
            if name and name not in kept:
                return common.in_use("secondary range", f"{request.id}/{name}", user)
    return None


@subnetwork_rules("subnetwork-in-use", _GCE, Stage.DELETE)
def subnetwork_is_unused(request: Request) -> str | None:
    user = next(common.users(request.state, request.id, (CLUSTER, "subnetwork"), (common.ADDRESS, "subnetwork")), None)
    for pool, record in request.state.of(NODE_POOL):
        for item in record.properties.items(NODE_NETWORKS):
            if item.text("subnetwork") == request.id:
                user = pool
    return common.in_use("subnetwork", request.id, user) if user else None


def subnetworks_of(state: State, network: str) -> list[str]:
    return [id_ for id_, r in state.of(SUBNETWORK) if r.properties.text("network") == common.self_link(network)]


def _subnetwork_outputs(request: Request) -> dict[str, Value]:
    primary = common.network_of(request.inputs.text("ipCidrRange"))
    return {
        "project": request.project,
        "region": request.region,
        "network": common.self_link(network_id(request)),
        "selfLink": common.self_link(request.id),
        "subnetworkId": int(common.number_of(request.id, 15)),
        "gatewayAddress": str(next(primary.hosts())) if primary else "",
        "fingerprint": common.short_hash(request.id, 11) + "=",
        "creationTimestamp": common.keep(request, "creationTimestamp", common.timestamp()),
        "purpose": request.inputs.text("purpose") or "PRIVATE",
        "stackType": request.inputs.text("stackType") or "IPV4_ONLY",
        "privateIpGoogleAccess": request.inputs.flag("privateIpGoogleAccess") or False,
    }


def _shrinks(old: Value, new: Value) -> bool:
    """Whether the new range is not just a larger one. A range can grow in place; any other change needs a new
    subnetwork."""
    before = common.network_of(old if isinstance(old, str) else None)
    after = common.network_of(new if isinstance(new, str) else None)
    return not (before and after and before.subnet_of(after))


SUBNETWORK_KIND = Kind(
    token=SUBNETWORK,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/regions/{request.region}/subnetworks/{request.name}",
    rules=tuple(subnetwork_rules.all),
    replaces={"ipCidrRange": _shrinks},
    compute=_subnetwork_outputs,
    computed=frozenset({"selfLink", "subnetworkId", "gatewayAddress", "fingerprint", "creationTimestamp"}),
    references=frozenset({"network"}),
    defaults={"purpose": "PRIVATE", "stackType": "IPV4_ONLY", "privateIpGoogleAccess": False},
)
