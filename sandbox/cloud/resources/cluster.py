"""GKE clusters: which settings must agree with each other, and which are fixed at creation."""

import base64
import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.resources import cluster_network, cluster_version, common
from sandbox.cloud.resources.cluster_network import location, network_id, subnetwork_id
from sandbox.cloud.resources.common import CLUSTER
from sandbox.cloud.resources.identity import account_exists
from sandbox.cloud.tables import region_of
from sandbox.cloud.values import Properties, Value
from sandbox.cloud.versions import resolve

# This stands in for an endpoint where no control plane is started.
PLACEHOLDER_ENDPOINT = "192.0.2.1"
DNS_ENDPOINT = "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint"

_GKE = "Kubernetes Engine API reference"
_PROVIDER = "terraform-provider-google, resource_container_cluster.go"
_MULTI_NETWORK = "cloud.google.com/kubernetes-engine/docs/how-to/setup-multinetwork-support-for-pods"

rules = Rules()


@rules("cluster-name", _PROVIDER, Stage.CHECK)
def name_is_legal(request: Request) -> str | None:
    name = request.name
    if not name:
        return None
    if len(name) > 40:
        return '"name" cannot be longer than 40 characters'
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return '"name" can only contain lowercase letters, numbers and hyphens'
    if not re.match(r"[a-z]", name):
        return '"name" must start with a letter'
    return '"name" must end with a number or a letter' if name.endswith("-") else None


@rules("cluster-location", _GKE, Stage.CHECK)
def location_exists(request: Request) -> str | None:
    if request.inputs.unknown("location"):
        return None
    place = location(request)
    known = request.tables.locations
    if place in known.regions or known.is_zone(place):
        return None
    return f'Error 400: Location "{place}" does not exist., badRequest'


@rules("cluster-node-locations", _PROVIDER, Stage.CHECK)
def node_locations_belong(request: Request) -> str | None:
    place = location(request)
    for zone in request.inputs.texts("nodeLocations"):
        if zone == place:
            return "when using a multi-zonal cluster, node_locations should not contain the original 'zone'"
        if not request.tables.locations.is_zone(zone) or region_of(zone) != region_of(place):
            return f'Error 400: Node location "{zone}" is not a zone of region "{region_of(place)}"., badRequest'
    return None


@rules("cluster-initial-nodes", _GKE, Stage.CHECK)
def starts_with_nodes(request: Request) -> str | None:
    inputs = request.inputs
    if inputs.flag("enableAutopilot") or inputs["nodePools"] or inputs.unknown("initialNodeCount"):
        return None
    if (inputs.number("initialNodeCount") or 0) > 0:
        return None
    return "Error 400: Cluster.initial_node_count must be greater than zero., badRequest"


@rules("cluster-sandbox-subset", "what this stand-in can do", Stage.CHECK)
def is_supported(request: Request) -> str | None:
    if request.inputs["nodePools"] or request.inputs.flag("enableAutopilot"):
        return "the sandbox has no Autopilot clusters and no inline node pools; use gcp.container.NodePool"
    if request.inputs.flag("removeDefaultNodePool") is not True and not request.inputs.unknown("removeDefaultNodePool"):
        return "the sandbox has no default node pools; set removeDefaultNodePool and add a gcp.container.NodePool"
    return None


@rules("cluster-multi-network-datapath", _MULTI_NETWORK, Stage.CHECK)
def multi_networking_has_dataplane_v2(request: Request) -> str | None:
    inputs = request.inputs
    if not inputs.flag("enableMultiNetworking") or inputs.unknown("datapathProvider"):
        return None
    if inputs.text("datapathProvider") == "ADVANCED_DATAPATH":
        return None
    return "Error 400: Multi-networking requires GKE Dataplane V2 (datapath_provider ADVANCED_DATAPATH)., badRequest"


@rules("cluster-multi-network-vpc-native", _MULTI_NETWORK, Stage.CHECK)
def multi_networking_is_vpc_native(request: Request) -> str | None:
    inputs = request.inputs
    if not inputs.flag("enableMultiNetworking"):
        return None
    if "ipAllocationPolicy" in inputs and inputs.text("networkingMode") != "ROUTES":
        return None
    return "Error 400: Multi-networking requires a VPC-native cluster (ip_allocation_policy)., badRequest"


@rules("cluster-multi-network-fixed", _MULTI_NETWORK, Stage.UPDATE)
def multi_networking_is_fixed(request: Request) -> str | None:
    # The provider treats it as changeable; the API does not.
    was = bool(request.before and request.before.properties.flag("enableMultiNetworking"))
    if was == bool(request.inputs.flag("enableMultiNetworking")):
        return None
    return "Error 400: Multi-networking can only be chosen when a cluster is created., badRequest"


@rules("cluster-workload-pool", "cloud.google.com/kubernetes-engine/docs/how-to/workload-identity", Stage.CHECK)
def workload_pool_is_the_projects(request: Request) -> str | None:
    pool = request.inputs.text("workloadIdentityConfig.workloadPool")
    if pool is None or request.inputs.unknown("project") or pool == f"{request.project}.svc.id.goog":
        return None
    return (
        f'Error 400: Workload Identity Pool "{pool}" is not supported: '
        f'currently only "{request.project}.svc.id.goog" is., badRequest'
    )


@rules("cluster-service-account-exists", _GKE, Stage.CREATE)
def service_account_exists(request: Request) -> str | None:
    email = request.inputs.text("nodeConfig.serviceAccount")
    if email is None or account_exists(request.state, email):
        return None
    return f'Error 400: Service account "{email}" does not exist., badRequest'


@rules("cluster-deletion-protection", _PROVIDER, Stage.DELETE)
def is_not_protected(request: Request) -> str | None:
    if request.inputs.flag("deletionProtection") is False:
        return None
    return (
        "Cannot destroy cluster because deletion_protection is set to true. "
        "Set it to false to proceed with cluster deletion."
    )


def zones(inputs: Properties, place: str, every: list[str]) -> list[str]:
    """The zones of a cluster's nodes: those that are given, else the cluster's own zone, else three of its region."""
    given = inputs.texts("nodeLocations")
    if place in every:
        return sorted({place, *given})
    return sorted(given) or every[:3]


def _outputs(request: Request) -> dict[str, Value]:
    inputs = request.inputs
    place = location(request)
    subnetwork = subnetwork_id(request)
    endpoint = common.keep(request, "endpoint", PLACEHOLDER_ENDPOINT)
    current = resolve(inputs.text("minMasterVersion"))
    ranges = dict(common.ranges_of_subnetwork(request.state, subnetwork or ""))
    pods = ranges.get(inputs.text("ipAllocationPolicy.clusterSecondaryRangeName") or "-")
    services = ranges.get(inputs.text("ipAllocationPolicy.servicesSecondaryRangeName") or "-")
    return {
        "project": request.project,
        "location": place,
        "network": network_id(request),
        "subnetwork": common.self_link(subnetwork) if subnetwork else "",
        "selfLink": f"https://container.googleapis.com/v1/{request.id}",
        "endpoint": endpoint,
        "masterVersion": current,
        "nodeVersion": current,
        "nodeLocations": [*zones(inputs, place, request.tables.locations.zones_of(region_of(place)))],
        "deletionProtection": inputs.flag("deletionProtection") is not False,
        "clusterIpv4Cidr": inputs.text("ipAllocationPolicy.clusterIpv4CidrBlock") or str(pods or ""),
        "servicesIpv4Cidr": inputs.text("ipAllocationPolicy.servicesIpv4CidrBlock") or str(services or ""),
        "labelFingerprint": common.short_hash(request.id, 8),
        "effectiveLabels": dict(inputs.mapping("resourceLabels")),
        "pulumiLabels": dict(inputs.mapping("resourceLabels")),
        "masterAuth": common.keep(request, "masterAuth", {"clusterCaCertificate": ""}),
        "controlPlaneEndpointsConfig": _endpoints(inputs, str(endpoint)),
        "privateClusterConfig": {
            **_object(inputs["privateClusterConfig"]),
            "privateEndpoint": str(endpoint),
            "publicEndpoint": str(endpoint),
        },
    }


def _endpoints(inputs: Properties, endpoint: str) -> dict[str, Value]:
    given = _object(inputs["controlPlaneEndpointsConfig"])
    dns = _object(given.get("dnsEndpointConfig"))
    return {**given, "dnsEndpointConfig": {"allowExternalTraffic": False, **dns, "endpoint": endpoint}}


def with_control_plane(outputs: dict[str, Value], endpoint: str, ca_certificate: str) -> dict[str, Value]:
    """The outputs of a cluster whose control plane answers at that endpoint."""
    private = {"privateEndpoint": endpoint, "publicEndpoint": endpoint}
    return {
        **outputs,
        "endpoint": endpoint,
        "masterAuth": {"clusterCaCertificate": base64.b64encode(ca_certificate.encode()).decode()},
        "controlPlaneEndpointsConfig": _endpoints(Properties(outputs), endpoint),
        "privateClusterConfig": {**_object(outputs["privateClusterConfig"]), **private},
    }


def _held(request: Request, outputs: dict[str, Value]) -> dict[str, Value]:
    """The provider sends a removed policy as an empty one, with the exclusions that Google has
    (resource_container_cluster.go, expandMaintenancePolicy), so the exclusions stay."""
    before = request.before.properties if request.before else Properties({})
    left = before["maintenancePolicy.maintenanceExclusions"]
    if outputs.get("maintenancePolicy") or not left:
        return outputs
    return {**outputs, "maintenancePolicy": {"maintenanceExclusions": left}}


def _shown(outputs: dict[str, Value]) -> dict[str, Value]:
    """The provider does not read back a policy without a window (flattenMaintenancePolicy)."""
    policy = _object(outputs.get("maintenancePolicy"))
    if any(window in policy for window in ("dailyMaintenanceWindow", "recurringWindow", "recurringMaintenanceWindow")):
        return outputs
    return {name: value for name, value in outputs.items() if name != "maintenancePolicy"}


def _object(value: Value) -> dict[str, Value]:
    return dict(value) if isinstance(value, dict) else {}


CLUSTER_KIND = Kind(
    token=CLUSTER,
    service="container.googleapis.com",
    identify=lambda request: f"projects/{request.project}/locations/{location(request)}/clusters/{request.name}",
    rules=(*rules.all, *cluster_network.rules.all, *cluster_version.rules.all),
    compute=_outputs,
    computed=frozenset(
        {"selfLink", "endpoint", "masterVersion", "nodeVersion", "clusterIpv4Cidr", "servicesIpv4Cidr"}
        | {"labelFingerprint", "masterAuth", "nodeLocations", DNS_ENDPOINT}
        | {"privateClusterConfig.privateEndpoint", "privateClusterConfig.publicEndpoint"}
    ),
    references=frozenset({"network", "subnetwork"}),
    held=_held,
    shown=_shown,
)
