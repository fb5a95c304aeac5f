"""Rules for networks: nothing of a stack can be reached from the internet, and it has networks of its own."""

from collections.abc import Iterable, Mapping
from typing import Any

from policy.resource_types import (
    ADDRESS,
    CLUSTER,
    FIREWALL,
    GATEWAY,
    GLOBAL_ADDRESS,
    INGRESS,
    NETWORK,
    NETWORK_POLICY,
    NODE_POOL,
    ROUTER,
    SERVICE,
    SUBNETWORK,
)
from policy.resources import Resource, Stack, items, value_at
from policy.rule import Level, Rule, stack_of

_EVERYBODY = frozenset({"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"})
_INTERNAL = "networking.gke.io/load-balancer-type"


def _public_address(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type in (ADDRESS, GLOBAL_ADDRESS):
        kind = resource.get("addressType")
        if kind != "INTERNAL" and not resource.unknown("addressType"):
            yield "is a public address; write addressType: INTERNAL"
    if resource.type == SERVICE:
        annotations: Mapping[str, Any] = resource.get("metadata.annotations") or {}
        if resource.get("spec.type") == "LoadBalancer" and annotations.get(_INTERNAL) != "Internal":
            yield f"is a load balancer with a public address; annotate it {_INTERNAL}: Internal"
        if resource.get("spec.type") == "NodePort":
            yield "opens a port on every node; write type: ClusterIP"
        if items(resource.get("spec.externalIPs")):
            yield "takes external addresses; leave externalIPs out"
    if resource.type == INGRESS:
        annotations: Mapping[str, Any] = resource.get("metadata.annotations") or {}
        if annotations.get("kubernetes.io/ingress.class") != "gce-internal":
            yield "is reached from the internet; write the class gce-internal"
    if resource.type == GATEWAY:
        name = resource.get("spec.gatewayClassName")
        if isinstance(name, str) and "external" in name:
            yield f"is reached from the internet through {name}; write gke-l7-rilb"


def _public_endpoint(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type != CLUSTER:
        return
    private = "privateClusterConfig.enablePrivateNodes"
    if not resource.get(private) and not resource.unknown(private):
        yield f"gives its nodes public addresses; write {private}: true"
    path = "controlPlaneEndpointsConfig.ipEndpointsConfig"
    closed = resource.get(f"{path}.enabled") is False or resource.get(f"{path}.enablePublicEndpoint") is False
    closed = closed or bool(resource.get("privateClusterConfig.enablePrivateEndpoint"))
    if not closed and not resource.unknown(f"{path}.enabled"):
        yield f"has a control plane with a public address; write {path}.enabled: false"


def _public_pool(resource: Resource, _: Stack) -> Iterable[str]:
    """Finds pools with public nodes. The provider sends `enablePrivateNodes: false` for a networkConfig that does not
    set it."""
    path = "networkConfig.enablePrivateNodes"
    if resource.type != NODE_POOL or not resource.get("networkConfig") or resource.unknown(path):
        return
    if resource.get(path) is not True:
        yield f"gives its nodes public addresses; write {path}: true"


def _open_range(resource: Resource, _: Stack) -> Iterable[str]:
    for path, value in _ranges(resource):
        if value in _EVERYBODY:
            yield f"{path} lets everybody in ({value}); name the ranges that need it"


def _ranges(resource: Resource) -> Iterable[tuple[str, Any]]:
    """The ranges from which traffic may come into the network."""
    if resource.type == FIREWALL and resource.get("direction") != "EGRESS":
        yield from (("sourceRanges", value) for value in items(resource.get("sourceRanges")))
    if resource.type == CLUSTER:
        for block in items(resource.get("masterAuthorizedNetworksConfig.cidrBlocks")):
            yield "masterAuthorizedNetworksConfig.cidrBlocks", value_at(block, "cidrBlock")
    if resource.type == SERVICE:
        path = "spec.loadBalancerSourceRanges"
        yield from ((path, value) for value in items(resource.get(path)))
    if resource.type == NETWORK_POLICY:
        for rule in items(resource.get("spec.ingress")):
            for peer in items(value_at(rule, "from")):
                yield "spec.ingress", value_at(peer, "ipBlock.cidr")


def _default_network(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type == NETWORK and resource.get("name") == "default":
        yield "is the default network; give it a name of its own"
    if resource.type in (CLUSTER, SUBNETWORK, FIREWALL, ROUTER):
        for key in ("network", "subnetwork"):
            value = resource.get(key)
            if isinstance(value, str) and value.rsplit("/", 1)[-1] == "default":
                yield f"{key} is the default one; make one of its own"
        if resource.type == CLUSTER and not resource.properties.get("network"):
            yield "network is left out, which means the default one; name the stack's own"


def _example(type_: str, **properties: Any) -> Stack:
    return stack_of(Resource(type=type_, name="example", properties=properties))


_CLUSTER_CLOSED = {
    "network": "projects/p/global/networks/own",
    "privateClusterConfig": {"enablePrivateNodes": True},
    "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": False}},
}

RULES = (
    Rule(
        id="network-no-public-address",
        level=Level.MANDATORY,
        reason="Whoever finds a public address of a model server uses its GPUs, and it has no password.",
        check=_public_address,
        failing=_example(SERVICE, apiVersion="v1", kind="Service", spec={"type": "LoadBalancer"}),
        passing=_example(SERVICE, apiVersion="v1", kind="Service", spec={"type": "ClusterIP"}),
    ),
    Rule(
        id="network-no-public-endpoint",
        level=Level.MANDATORY,
        reason="A control plane that answers by its DNS name and Google's identities needs no public address.",
        check=_public_endpoint,
        failing=_example(
            CLUSTER,
            network="own",
            privateClusterConfig={"enablePrivateNodes": False},
            controlPlaneEndpointsConfig={"ipEndpointsConfig": {"enabled": True}},
        ),
        passing=_example(CLUSTER, **_CLUSTER_CLOSED),
    ),
    Rule(
        id="network-private-nodes",
        level=Level.MANDATORY,
        reason="Nodes go out through Cloud NAT; with addresses of their own they could be reached too.",
        check=_public_pool,
        failing=_example(NODE_POOL, cluster="own", networkConfig={"acceleratorNetworkProfile": "auto"}),
        passing=_example(NODE_POOL, cluster="own", networkConfig={"enablePrivateNodes": True}),
    ),
    Rule(
        id="network-no-open-range",
        level=Level.MANDATORY,
        reason="A range that holds every address is no rule at all.",
        check=_open_range,
        failing=_example(FIREWALL, network="own", sourceRanges=["0.0.0.0/0"], allows=[{"protocol": "tcp"}]),
        passing=_example(FIREWALL, network="own", sourceRanges=["10.0.0.0/12"], allows=[{"protocol": "tcp"}]),
    ),
    Rule(
        id="network-no-default",
        level=Level.MANDATORY,
        reason="The default network has rules that nobody in this stack wrote, and neighbours that nobody chose.",
        check=_default_network,
        failing=_example(SUBNETWORK, network="default", ipCidrRange="10.0.0.0/20"),
        passing=_example(SUBNETWORK, network="own", ipCidrRange="10.0.0.0/20"),
    ),
)
