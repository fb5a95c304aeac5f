"""Routers, their NAT gateways, and reserved addresses."""

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last, regional_id
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import ADDRESS, NETWORK, ROUTER, ROUTER_NAT, SUBNETWORK
from sandbox.cloud.resources.network import network_id, profile_of
from sandbox.cloud.values import Value

_GCE = "Compute Engine API reference"
_NAT = "cloud.google.com/nat/docs"
_PORTS = "Compute Engine API discovery document, RouterNat (2026-11-28)"
_RDMA = "cloud.google.com/vpc/docs/rdma-network-profiles"

router_rules = Rules()
router_rules("router-name", _GCE, Stage.CHECK)(common.compute_name)
router_rules("router-region", _GCE, Stage.CHECK)(common.region_known)


@router_rules("router-network-exists", _GCE, Stage.CREATE)
def network_exists(request: Request) -> str | None:
    id_ = network_id(request)
    return None if request.state.get(NETWORK, id_) else common.not_found(id_)


@router_rules("router-roce", _RDMA, Stage.CREATE)
def network_takes_routers(request: Request) -> str | None:
    profile = profile_of(request.state.get(NETWORK, network_id(request)))
    return common.invalid("resource.network", network_id(request), f"Not supported by {profile}") if profile else None


def _regional_outputs(request: Request) -> dict[str, Value]:
    return {
        "project": request.project,
        "region": request.region,
        "selfLink": common.self_link(request.id),
        "creationTimestamp": common.keep(request, "creationTimestamp", common.timestamp()),
    }


ROUTER_KIND = Kind(
    token=ROUTER,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/regions/{request.region}/routers/{request.name}",
    rules=tuple(router_rules.all),
    compute=lambda request: {**_regional_outputs(request), "network": common.self_link(network_id(request))},
    computed=frozenset({"selfLink", "creationTimestamp"}),
    references=frozenset({"network"}),
)


nat_rules = Rules()
nat_rules("nat-name", _GCE, Stage.CHECK)(common.compute_name)
nat_rules("nat-region", _GCE, Stage.CHECK)(common.region_known)


@nat_rules("nat-manual-needs-addresses", _NAT, Stage.CHECK)
def manual_allocation_has_addresses(request: Request) -> str | None:
    option = request.inputs.text("natIpAllocateOption")
    if option == "MANUAL_ONLY" and not request.inputs["natIps"]:
        return common.invalid("resource.nats[0].natIps", "", "MANUAL_ONLY requires at least one NAT IP")
    if option == "AUTO_ONLY" and request.inputs["natIps"]:
        return common.invalid("resource.nats[0].natIps", "", "NAT IPs cannot be given with AUTO_ONLY")
    return None


@nat_rules("nat-listed-subnetworks", _NAT, Stage.CHECK)
def subnetworks_are_listed(request: Request) -> str | None:
    listed = bool(request.inputs["subnetworks"])
    source = request.inputs.text("sourceSubnetworkIpRangesToNat")
    if source is None or listed == (source == "LIST_OF_SUBNETWORKS"):
        return None
    return common.invalid(
        "resource.nats[0].sourceSubnetworkIpRangesToNat", source, "Subnetworks are listed with LIST_OF_SUBNETWORKS only"
    )


@nat_rules("nat-ports", _PORTS, Stage.CHECK)
def ports_are_legal(request: Request) -> str | None:
    inputs = request.inputs
    low, high = inputs.number("minPortsPerVm"), inputs.number("maxPortsPerVm")
    if not inputs.flag("enableDynamicPortAllocation"):
        return None
    if inputs.flag("enableEndpointIndependentMapping"):
        return common.invalid(
            "resource.nats[0].enableEndpointIndependentMapping", "true", "Not supported with dynamic port allocation"
        )
    for name, ports in (("minPortsPerVm", low), ("maxPortsPerVm", high)):
        if ports is not None and not (32 <= ports <= 65536 and ports & (ports - 1) == 0):
            return common.invalid(f"resource.nats[0].{name}", ports, "Must be a power of 2 from 32 to 65536")
    if low is not None and high is not None and low >= high:
        return common.invalid("resource.nats[0].maxPortsPerVm", high, f"Must be more than minPortsPerVm, {low}")
    return None


@nat_rules("nat-router-exists", _GCE, Stage.CREATE)
def router_exists(request: Request) -> str | None:
    id_ = _router_id(request)
    return None if request.state.get(ROUTER, id_) else common.not_found(id_)


@nat_rules("nat-addresses-exist", _GCE, Stage.CREATE, Stage.UPDATE)
def addresses_exist(request: Request) -> str | None:
    for spelling in request.inputs.texts("natIps"):
        id_ = regional_id(spelling, "addresses", request.project, request.region)
        if request.state.get(ADDRESS, id_) is None:
            return common.not_found(id_)
    return None


@nat_rules("nat-subnetworks-exist", _GCE, Stage.CREATE, Stage.UPDATE)
def subnetworks_exist(request: Request) -> str | None:
    for item in request.inputs.items("subnetworks"):
        id_ = regional_id(item.text("name") or "", "subnetworks", request.project, request.region)
        if request.state.get(SUBNETWORK, id_) is None:
            return common.not_found(id_)
    return None


@nat_rules("nat-one-for-all-subnetworks", _NAT, Stage.CREATE)
def only_gateway_for_all_subnetworks(request: Request) -> str | None:
    # If a gateway is for all subnetworks of a network and region, no other one may be there.
    router = request.state.get(ROUTER, _router_id(request))
    if router is None or request.inputs.text("sourceSubnetworkIpRangesToNat") == "LIST_OF_SUBNETWORKS":
        return None
    for id_, record in request.state.of(ROUTER_NAT):
        other = request.state.get(ROUTER, id_.rsplit("/", 1)[0])
        if (
            other
            and other.outputs["network"] == router.outputs["network"]
            and record.outputs["region"] == request.region
        ):
            return common.invalid("resource.nats", request.name, f"Subnetworks are already served by NAT '{last(id_)}'")
    return None


def _router_id(request: Request) -> str:
    return regional_id(request.inputs.text("router") or "", "routers", request.project, request.region)


# At Google a NAT gateway is a part of its router; the provider's id for it is router and name.
ROUTER_NAT_KIND = Kind(
    token=ROUTER_NAT,
    service="compute.googleapis.com",
    identify=lambda request: f"{_router_id(request)}/{request.name}",
    rules=tuple(nat_rules.all),
    compute=lambda request: {
        "project": request.project,
        "region": request.region,
        "endpointTypes": ["ENDPOINT_TYPE_VM"],
        "type": request.inputs.text("type") or "PUBLIC",
    },
    references=frozenset({"router"}),
)


address_rules = Rules()
address_rules("address-name", _GCE, Stage.CHECK)(common.compute_name)
address_rules("address-region", _GCE, Stage.CHECK)(common.region_known)


@address_rules("address-subnetwork-exists", _GCE, Stage.CREATE)
def subnetwork_exists(request: Request) -> str | None:
    id_ = _subnetwork_id(request)
    return common.not_found(id_) if id_ and request.state.get(SUBNETWORK, id_) is None else None


@address_rules("address-in-use", _GCE, Stage.DELETE)
def address_is_unused(request: Request) -> str | None:
    for nat, record in request.state.of(ROUTER_NAT):
        used = (
            regional_id(ip, "addresses", request.project, request.region) for ip in record.properties.texts("natIps")
        )
        if request.id in used:
            return common.in_use("address", request.id, nat)
    return None


def _subnetwork_id(request: Request) -> str | None:
    spelling = request.inputs.text("subnetwork")
    return regional_id(spelling, "subnetworks", request.project, request.region) if spelling else None


def _address_outputs(request: Request) -> dict[str, Value]:
    subnetwork = _subnetwork_id(request)
    octet = int(common.short_hash(request.id, 4), 16)
    outputs: dict[str, Value] = {
        **_regional_outputs(request),
        # The address is from a range that is reserved for documentation.
        "address": request.inputs.text("address") or f"203.0.113.{octet % 254 + 1}",
        "addressId": common.number_of(request.id),
        "addressType": request.inputs.text("addressType") or "EXTERNAL",
        "labelFingerprint": common.short_hash(request.id, 11) + "=",
        "effectiveLabels": dict(request.inputs.mapping("labels")),
        "pulumiLabels": dict(request.inputs.mapping("labels")),
    }
    return {**outputs, "subnetwork": common.self_link(subnetwork)} if subnetwork else outputs


ADDRESS_KIND = Kind(
    token=ADDRESS,
    service="compute.googleapis.com",
    identify=lambda request: f"projects/{request.project}/regions/{request.region}/addresses/{request.name}",
    rules=tuple(address_rules.all),
    compute=_address_outputs,
    computed=frozenset({"selfLink", "creationTimestamp", "address", "addressId", "labelFingerprint"}),
    references=frozenset({"network", "subnetwork"}),
)
