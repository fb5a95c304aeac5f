"""VPC networks and their subnetworks, RoCE networks with their profile among them."""

import ipaddress
import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import global_id, last, segment
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import CLUSTER, FIREWALL, NETWORK, NODE_POOL, ROUTER, SUBNETWORK, IPv4
from sandbox.cloud.store import Record, State
from sandbox.cloud.tables import NicKind, Tables, region_of
from sandbox.cloud.values import Value

ROCE_MTU = 8896
ORDINARY_MTU = 1460

_PROFILE = re.compile(r"projects/[^/]+/global/networkProfiles/(?P<name>[^/]+)")

_GCE = "Compute Engine API reference"
_RDMA = "cloud.google.com/vpc/docs/rdma-network-profiles"


def profile_of(record: Record | None) -> str | None:
    """The name of a recorded network's profile, `us-central1-b-vpc-roce` for instance."""
    profile = record.properties.text("networkProfile") if record else None
    return last(profile) if profile else None


def nic_kind(record: Record | None, tables: Tables) -> NicKind:
    """The only kind of NIC that a recorded network takes."""
    found = tables.locations.profile(profile_of(record) or "")
    return found[0].nic_kind if found else NicKind.GVNIC


network_rules = Rules()
network_rules("network-name", _GCE, Stage.CHECK)(common.compute_name)


@network_rules("network-mtu", "cloud.google.com/vpc/docs/mtu", Stage.CHECK)
def mtu_is_legal(request: Request) -> str | None:
    mtu = request.inputs.number("mtu")
    if mtu is None or 1300 <= mtu <= ROCE_MTU:
        return None
    return common.invalid("resource.mtu", mtu, "MTU must be between 1300 and 8896")


@network_rules("network-profile-exists", _RDMA, Stage.CHECK)
def profile_exists(request: Request) -> str | None:
    profile = request.inputs.text("networkProfile")
    if profile is None:
        return None
    match = _PROFILE.search(profile)
    if match is None:
        return common.invalid("resource.networkProfile", profile, "The URL is malformed")
    return None if request.tables.locations.profile(match["name"]) else common.not_found(match[0])


@network_rules("network-profile-custom-mode", _RDMA, Stage.CHECK)
def profiled_network_is_custom(request: Request) -> str | None:
    # The provider's default is an auto-mode network.
    if "networkProfile" not in request.inputs or request.inputs.flag("autoCreateSubnetworks") is False:
        return None
    if request.inputs.unknown("autoCreateSubnetworks"):
        return None
    return common.invalid(
        "resource.autoCreateSubnetworks", "true", "Auto mode is not supported by the network profile of this network"
    )


@network_rules("network-roce-mtu", _RDMA, Stage.CHECK)
def profiled_network_mtu(request: Request) -> str | None:
    mtu = request.inputs.number("mtu")
    if "networkProfile" not in request.inputs or mtu in (None, ROCE_MTU):
        return None
    return common.invalid("resource.mtu", mtu, f"The network profile of this network requires an MTU of {ROCE_MTU}")


@network_rules("network-in-use", _GCE, Stage.DELETE)
def network_is_unused(request: Request) -> str | None:
    uses = ((SUBNETWORK, "network"), (FIREWALL, "network"), (ROUTER, "network"), (CLUSTER, "network"))
    user = next(common.users(request.state, request.id, *uses), None)
    return common.in_use("network", request.id, user) if user else None


def _network_outputs(request: Request) -> dict[str, Value]:
    mtu = ROCE_MTU if "networkProfile" in request.inputs else ORDINARY_MTU
    number = common.number_of(request.id)
    return {
        "project": request.project,
        "selfLink": common.self_link(request.id),
        "networkId": number,
        "numericId": number,
        "gatewayIpv4": "",
        "mtu": request.inputs.number("mtu") or mtu,
        "autoCreateSubnetworks": request.inputs.flag("autoCreateSubnetworks") is not False,
        "routingMode": request.inputs.text("routingMode") or "REGIONAL",
    }


NETWORK_KIND = Kind(
    token=NETWORK,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/global/networks/{request.name}",
    rules=tuple(network_rules.all),
    force_new=frozenset(
        {"name", "autoCreateSubnetworks", "description", "internalIpv6Range", "networkProfile", "params", "project"}
    ),
    compute=_network_outputs,
    computed=frozenset({"selfLink", "networkId", "numericId", "gatewayIpv4", "mtu"}),
    defaults={"routingMode": "REGIONAL", "autoCreateSubnetworks": True, "deleteDefaultRoutesOnCreate": False},
)


subnetwork_rules = Rules()
subnetwork_rules("subnetwork-name", _GCE, Stage.CHECK)(common.compute_name)
subnetwork_rules("subnetwork-region", _GCE, Stage.CHECK)(common.region_known)


def _own_ranges(request: Request) -> list[tuple[str, str]]:
    """Every range asked for, as (field, text)."""
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


# Google takes privately used public ranges as well, with a warning in its console; the stand-in refuses none of them.
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
        for item in record.properties.items("networkConfig.additionalNodeNetworkConfigs"):
            if item.text("subnetwork") == request.id:
                user = pool
    return common.in_use("subnetwork", request.id, user) if user else None


def network_id(request: Request) -> str:
    return global_id(request.inputs.text("network") or "", "networks", request.project)


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
    """A range can grow in place, anything else needs a new subnetwork."""
    before = common.network_of(old if isinstance(old, str) else None)
    after = common.network_of(new if isinstance(new, str) else None)
    return not (before and after and before.subnet_of(after))


SUBNETWORK_KIND = Kind(
    token=SUBNETWORK,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/regions/{request.region}/subnetworks/{request.name}",
    rules=tuple(subnetwork_rules.all),
    force_new=frozenset(
        {"name", "network", "description", "params", "region", "reservedInternalRange", "resolveSubnetMask", "project"}
    ),
    replaces={"ipCidrRange": _shrinks},
    compute=_subnetwork_outputs,
    computed=frozenset({"selfLink", "subnetworkId", "gatewayAddress", "fingerprint", "creationTimestamp"}),
    references=frozenset({"network"}),
    defaults={"purpose": "PRIVATE", "stackType": "IPV4_ONLY", "privateIpGoogleAccess": False},
)
