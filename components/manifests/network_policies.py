"""Network policies for everything that serves a model: nobody may connect, except as they say.

A node reaches its own pods whatever a policy says, so the kubelet's probes need no rule. Policies apply only to a pod's
first interface; the traffic on the RDMA interfaces is NCCL's, between the pods of one group.
"""

from collections.abc import Iterable
from typing import Any

from components.manifests import labels
from components.manifests.types import Manifest
from planning.plan import AccessPlan, CallerPlan, ModelServerPlan

_HTTPS = 443
_DNS = ({"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53})
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def deny_all(namespace: str) -> Manifest:
    return _policy("deny-all", namespace, {}, ingress=[], egress=[])


def server(plan: ModelServerPlan, access: AccessPlan) -> Manifest:
    """The policy of a server: callers may send requests, the server may ask for names and weights, and pods of a group
    may do everything with each other."""
    own = {"podSelector": {"matchLabels": labels.pods_of(plan)}}
    port = [{"protocol": "TCP", "port": plan.port}]
    smoke = {"podSelector": {"matchLabels": smoke_labels(plan)}}
    outside = _blocks(each.cidr for each in access.caller_ranges)
    ingress = [{"from": [*map(_peer, access.callers), *outside, smoke], "ports": port}]
    egress = [_names(access), _hub(access)]
    if plan.is_group:
        # Ranks, their store and NCCL listen on ports that they choose themselves, and trust whoever connects.
        ingress.append({"from": [own]})
        egress.append({"to": [own]})
    return _policy(plan.name, plan.namespace, labels.pods_of(plan), ingress=ingress, egress=egress)


def smoke_test(plan: ModelServerPlan, access: AccessPlan) -> Manifest:
    target = {
        "to": [{"podSelector": {"matchLabels": labels.pods_of(plan)}}],
        "ports": [{"protocol": "TCP", "port": plan.port}],
    }
    return _policy(
        f"{plan.name}-smoke", plan.namespace, smoke_labels(plan), ingress=[], egress=[_names(access), target]
    )


def among(name: str, namespace: str, pods: dict[str, str], access: AccessPlan) -> Manifest:
    """A policy for pods that talk to each other and to nobody else."""
    own = {"podSelector": {"matchLabels": pods}}
    return _policy(name, namespace, pods, ingress=[{"from": [own]}], egress=[_names(access), {"to": [own]}])


def smoke_labels(plan: ModelServerPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "smoke-test", labels.INSTANCE: plan.name, labels.JOB: "smoke"}


def _names(access: AccessPlan) -> dict[str, Any]:
    to = [*map(_peer, access.name_servers), *_blocks(access.name_server_addresses)]
    return {"to": to, "ports": list(_DNS)}


def _hub(access: AccessPlan) -> dict[str, Any]:
    """The rule for Hugging Face's hub. Its addresses and those of its caches change, so it allows the internet, on the
    port of TLS."""
    everywhere = {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(access.private_ranges)}}
    return {"to": [everywhere], "ports": [{"protocol": "TCP", "port": _HTTPS}]}


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
