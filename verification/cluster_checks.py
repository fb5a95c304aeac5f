"""Checks of the cluster itself: its nodes, LeaderWorkerSet, and the Hugging Face token."""

from collections.abc import Iterator
from typing import Any

from verification.expectations import Expectations, ExpectedPool, ExpectedToken
from verification.kubectl import Kubectl
from verification.parsers import quantity
from verification.results import Check, CheckFailed, NotObservable
from verification.rows import VerifyRow

NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
GPU = "nvidia.com/gpu"
LWS_CRD = "leaderworkersets.leaderworkerset.x-k8s.io"
_ROUNDED_GIB = 0.1
LWS_CONTROLLER = "deployment/lws-controller-manager"


def cluster_checks(kubectl: Kubectl, expected: Expectations) -> Iterator[Check]:
    """Yields each check's name and function; the function returns what was seen, or raises."""
    yield VerifyRow.API_SERVER, lambda: _version(kubectl)
    for pool in expected.pools:
        yield f"{VerifyRow.NODES} {pool.name}", lambda pool=pool: _nodes(kubectl, pool)
    for pool in expected.pools:
        yield f"{VerifyRow.ALLOCATABLE} {pool.name}", lambda pool=pool: _allocatable(kubectl, pool)
    yield VerifyRow.ADDRESSES, lambda: _addresses(kubectl, expected)
    yield VerifyRow.LWS_KIND, lambda: _established(kubectl)
    yield VerifyRow.LWS_CONTROLLER, lambda: _available(kubectl, expected.lws_namespace)
    for namespace in sorted({model.namespace for model in expected.models}):
        yield f"{VerifyRow.TOKEN} {namespace}", lambda namespace=namespace: _token(kubectl, namespace, expected.token)


def condition(resource: dict[str, Any], kind: str) -> bool:
    conditions: list[dict[str, Any]] = resource.get("status", {}).get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _version(kubectl: Kubectl) -> str:
    return str(kubectl.get_raw_json("/version")["gitVersion"])


def _nodes(kubectl: Kubectl, pool: ExpectedPool) -> str:
    nodes = kubectl.items("nodes", f"--selector={NODE_POOL_LABEL}={pool.name}")
    ready = [node for node in nodes if condition(node, "Ready")]
    per_node = sorted({int(node["status"]["allocatable"].get(GPU, "0")) for node in ready})
    seen = f"{len(ready)} nodes are Ready, with {' or '.join(map(str, per_node)) or 'no'} GPUs each"
    if len(ready) < pool.least_nodes:
        raise CheckFailed(f"{seen}; wanted are {pool.least_nodes}")
    if 0 in per_node:
        raise CheckFailed(f"{seen}: the driver or the device plugin is not there yet")
    return seen


def _allocatable(kubectl: Kubectl, pool: ExpectedPool) -> str:
    """The allocatable resources of the pool's smallest node. A server asks for what the plan counts on, and without it
    would wait for ever."""
    nodes = kubectl.items("nodes", f"--selector={NODE_POOL_LABEL}={pool.name}")
    if not nodes:
        raise NotObservable("the pool has no nodes")
    found = [node["status"]["allocatable"] for node in nodes]
    least = [min(quantity(each.get(name, "0")) for each in found) for name in ("cpu", "memory", "ephemeral-storage")]
    rows = (
        ("CPUs", least[0], pool.cpus, 0.01),
        ("GiB of memory", least[1] / 1024**3, pool.memory_gib, _ROUNDED_GIB),
        ("GiB of disk", least[2] / 1024**3, pool.disk_gib, _ROUNDED_GIB),
    )
    seen = ", ".join(f"{there:,.1f} {what} ({planned:,.1f} planned)" for what, there, planned, _ in rows)
    short = [what for what, there, planned, rounded in rows if there < planned - rounded]
    if short:
        raise CheckFailed(f"{seen}: fewer {' and '.join(short)} than the plan counts on")
    return seen


def _addresses(kubectl: Kubectl, expected: Expectations) -> str:
    """Looks for external addresses of nodes, which anybody on the internet could reach. In an existing cluster only the
    stack's own pools are judged."""
    own = {pool.name for pool in expected.pools}
    nodes = [
        node
        for node in kubectl.items("nodes")
        if expected.own_cluster or node["metadata"]["labels"].get(NODE_POOL_LABEL) in own
    ]
    reachable = [node["metadata"]["name"] for node in nodes if external_addresses(node)]
    if reachable:
        raise CheckFailed(f"{len(reachable)} of {len(nodes)} nodes have one: {', '.join(reachable)}")
    return f"none of {len(nodes)} nodes has one"


def external_addresses(node: dict[str, Any]) -> list[str]:
    """The external addresses of a node, as its kubelet and Google's cloud controller report them."""
    addresses: list[dict[str, str]] = node["status"].get("addresses", [])
    return [each["address"] for each in addresses if each["type"] in ("ExternalIP", "ExternalDNS") and each["address"]]


def _established(kubectl: Kubectl) -> str:
    if not condition(kubectl.get("crd", LWS_CRD), "Established"):
        raise CheckFailed(f"{LWS_CRD} is not established")
    return LWS_CRD


def _available(kubectl: Kubectl, namespace: str) -> str:
    deployment = kubectl.get(LWS_CONTROLLER, f"--namespace={namespace}")
    ready = deployment["status"].get("readyReplicas", 0)
    seen = f"{ready} of {deployment['spec']['replicas']} replicas are ready"
    if not condition(deployment, "Available"):
        raise CheckFailed(seen)
    return seen


def _token(kubectl: Kubectl, namespace: str, token: ExpectedToken) -> str:
    # The content of the token is not looked at.
    label = f"app.kubernetes.io/name={token.name}"
    found = kubectl.run("get", token.kind, f"--selector={label}", f"--namespace={namespace}", "--output=name")
    if not found:
        raise CheckFailed(f"no {token.kind} is labelled {label}")
    return found.strip()
