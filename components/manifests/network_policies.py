"""Network policies for everything that serves a model: nobody may connect, except as they say.

A node reaches its own pods whatever a policy says, so the kubelet's probes need no rule. Policies apply only to a pod's
first interface; the traffic on the RDMA interfaces is NCCL's, between the pods of one group.
"""

from collections.abc import Iterable
from typing import Any

from components.manifests import labels
from components.manifests.types import Manifest
from planning.plan import AccessPlan, CallerPlan, ModelServerPlan, NamespacePlan

_HTTPS = 443
_DNS = ({"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53})
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def deny_all(namespace: str) -> Manifest:
    return _policy("deny-all", namespace, {}, ingress=[], egress=[])


def servers(plan: NamespacePlan, access: AccessPlan) -> Manifest:
    """The policy of all servers in the namespace: callers and smoke tests may send requests, and the servers may ask
    for names and weights."""
    callers = [*map(_peer, access.callers), *_blocks(each.cidr for each in access.caller_ranges)]
    smoke_tests = {"podSelector": {"matchLabels": labels.SMOKE_TEST}}
    ingress = [{"from": [*callers, smoke_tests], "ports": _ports(plan)}]
    egress = [_names(access), _hub(access), *_google(access)]
    return _policy("servers", plan.name, labels.SERVER, ingress=ingress, egress=egress)


def weights_fills(plan: NamespacePlan, access: AccessPlan) -> Manifest:
    """The policy of all fills of the bucket in the namespace: they may ask for names, the hub and Google."""
    egress = [_names(access), _hub(access), *_google(access)]
    return _policy("weights-fills", plan.name, labels.WEIGHTS_FILL, ingress=[], egress=egress)


def smoke_tests(plan: NamespacePlan, access: AccessPlan) -> Manifest:
    """The policy of all smoke tests in the namespace: they may ask for names, and the servers for a token."""
    target = {"to": [{"podSelector": {"matchLabels": labels.SERVER}}], "ports": _ports(plan)}
    return _policy("smoke-tests", plan.name, labels.SMOKE_TEST, ingress=[], egress=[_names(access), target])


def group(plan: ModelServerPlan) -> Manifest:
    """The policy of a server that spans nodes: its pods may do everything with each other.

    Ranks, their store and NCCL listen on ports that they choose themselves, and trust whoever connects.
    """
    own = {"podSelector": {"matchLabels": labels.pods_of(plan)}}
    return _policy(plan.name, plan.namespace, labels.pods_of(plan), ingress=[{"from": [own]}], egress=[{"to": [own]}])


def among(name: str, namespace: str, pods: dict[str, str], access: AccessPlan) -> Manifest:
    """A policy for pods that talk to each other and to nobody else."""
    own = {"podSelector": {"matchLabels": pods}}
    return _policy(name, namespace, pods, ingress=[{"from": [own]}], egress=[_names(access), {"to": [own]}])


def _ports(plan: NamespacePlan) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in plan.server_ports]


def _names(access: AccessPlan) -> dict[str, Any]:
    to = [*map(_peer, access.name_servers), *_blocks(access.name_server_addresses)]
    return {"to": to, "ports": list(_DNS)}


def _hub(access: AccessPlan) -> dict[str, Any]:
    """The rule for Hugging Face's hub. Its addresses and those of its caches change, so it allows the internet, on the
    port of TLS."""
    everywhere = {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(access.private_ranges)}}
    return {"to": [everywhere], "ports": [{"protocol": "TCP", "port": _HTTPS}]}


def _google(access: AccessPlan) -> list[dict[str, Any]]:
    """The rules for the metadata server, which gives a pod the token of its Google account. Google's APIs are where the
    hub is: in the internet, as far as addresses tell."""
    return [
        {"to": _blocks([each.cidr]), "ports": [{"protocol": "TCP", "port": each.port}]}
        for each in access.metadata_servers
    ]


def _blocks(cidrs: Iterable[str]) -> list[dict[str, Any]]:
    return [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]


def _peer(caller: CallerPlan) -> dict[str, Any]:
    peer: dict[str, Any] = {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: caller.namespace}}}
    return {**peer, "podSelector": {"matchLabels": caller.pod_labels}} if caller.pod_labels else peer


def _policy(
    name: str,
    namespace: str,
    pods: dict[str, str],
    *,
    ingress: list[dict[str, Any]],
    egress: list[dict[str, Any]],
) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": pods} if pods else {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }
