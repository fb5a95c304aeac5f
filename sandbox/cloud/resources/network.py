"""VPC networks, including RoCE networks and their network profiles."""

import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import global_id, last
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import CLUSTER, FIREWALL, NETWORK, NODE_POOL, ROUTER, SUBNETWORK
from sandbox.cloud.store import Record
from sandbox.cloud.tables import NicKind, Tables, region_of
from sandbox.cloud.values import Value

NODE_NETWORKS = "networkConfig.additionalNodeNetworkConfigs"
ROCE_MTU = 8896
ORDINARY_MTU = 1460

_PROFILE = re.compile(r"projects/[^/]+/global/networkProfiles/(?P<name>[^/]+)")

_GCE = "Compute Engine API reference"
_RDMA = "cloud.google.com/vpc/docs/rdma-network-profiles"


def profile_of(record: Record | None) -> str | None:
    """The name of a recorded network's profile, such as `us-central1-b-vpc-roce`; None if it has none."""
    profile = record.properties.text("networkProfile") if record else None
    return last(profile) if profile else None


def network_id(request: Request) -> str:
    return global_id(request.inputs.text("network") or "", "networks", request.project)


def nic_kind(record: Record | None, tables: Tables) -> NicKind:
    """The only kind of NIC that a recorded network takes."""
    found = tables.locations.profile(profile_of(record) or "")
    return found[0].nic_kind if found else NicKind.GVNIC


def google_made_subnetwork(record: Record | None, tables: Tables) -> str | None:
    """The id of a metal network's only subnetwork, which Google makes and removes together with the network."""
    found = tables.locations.profile(profile_of(record) or "")
    if record is None or found is None or found[0].nic_kind is not NicKind.MRDMA_METAL:
        return None
    name, project = record.properties.text("name"), record.properties.text("project")
    return f"projects/{project}/regions/{region_of(found[1])}/subnetworks/default-subnet-1-{name}"


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
    # By the provider's default a network is in auto mode.
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
    # Google removes what it made for the network, but not if a node uses it.
    for pool, record in request.state.of(NODE_POOL):
        networks = (item.text("network") for item in record.properties.items(NODE_NETWORKS))
        user = pool if request.id in networks and user is None else user
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
    compute=_network_outputs,
    computed=frozenset({"selfLink", "networkId", "numericId", "gatewayIpv4", "mtu"}),
    defaults={"routingMode": "REGIONAL"},
)
