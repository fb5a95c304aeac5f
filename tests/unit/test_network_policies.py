"""Every needed pair of caller and callee is let through, and the forbidden ones are not, by the rendered policies.

The sandbox enforces no network policy, so the rules are evaluated here as Kubernetes defines them: a pod that a policy
selects is closed in that direction but for what some policy lets through, and a connection needs both ends to agree.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from components.manifests import network_policies
from components.manifests.nccl_preflight import preflight_labels
from components.manifests.server_pod import Role
from components.manifests.smoke_test import smoke_test
from planning.plan import ModelServerPlan, PlatformPlan
from tests.unit.serving import GEMMA_27B, ONE_GPU, TOKEN, TWO_NODES, platform, templates

MODELS = (ONE_GPU, GEMMA_27B, TWO_NODES, {**TWO_NODES, "replicas": 1})
PLAN = platform(
    *MODELS,
    nodes=5,
    callers={
        "namespaces": ["chat"],
        "ranges": ["172.16.8.0/24"],
        "googleLoadBalancers": {"scope": "regional", "proxyOnlyRange": "10.9.0.0/23"},
    },
)
SMALL, LARGE, GROUP, OTHER_GROUP = PLAN.models
(PREFLIGHT,) = PLAN.preflights


def policies(plan: PlatformPlan) -> list[dict[str, Any]]:
    found: list[Any] = [network_policies.deny_all(namespace.name) for namespace in plan.namespaces]
    for namespace in plan.namespaces:
        found += [
            network_policies.servers(namespace, plan.access),
            network_policies.smoke_tests(namespace, plan.access),
        ]
    assert plan.preflight_namespace is not None
    found.append(network_policies.deny_all(plan.preflight_namespace.name))
    found += [network_policies.group(model) for model in plan.models if model.is_group]
    labels = preflight_labels(PREFLIGHT)
    found.append(network_policies.among(PREFLIGHT.name, PREFLIGHT.namespace, labels, plan.access))
    return found


POLICIES = policies(PLAN)
NOBODY_NAMED = policies(platform(*MODELS, nodes=5))


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: dict[str, str] = field(default_factory=dict[str, str])
    address: str = "10.0.0.7"


@dataclass(frozen=True)
class Outside:
    """Something that is no pod of the cluster."""

    address: str


def server(plan: ModelServerPlan, role: Role | None = None) -> Pod:
    role = role or (Role.LEADER if plan.is_group else Role.SERVER)
    return Pod(plan.namespace, templates(plan)[role]["metadata"]["labels"])


def smoke(plan: ModelServerPlan) -> Pod:
    job = smoke_test(plan, templates(plan).revision, TOKEN)
    return Pod(plan.namespace, job["spec"]["template"]["metadata"]["labels"])


CHAT = Pod("chat", {"app": "anything"})
CLIENT = Outside("172.16.8.40")
PROXY = Outside("10.9.1.7")
PROBE, OTHER_PROBE = Outside("35.191.10.4"), Outside("130.211.3.250")
MONITORING = Pod("gmp-system", {"app.kubernetes.io/name": "collector"})
TUNNEL = Pod("kube-system", {"k8s-app": "konnectivity-agent"})
NAME_SERVER = Pod("kube-system", {"k8s-app": "kube-dns"})
PREFLIGHT_POD = Pod(PREFLIGHT.namespace, preflight_labels(PREFLIGHT))
STRANGER = Pod("default", {"app.kubernetes.io/name": "vllm"})
NODE_NAME_SERVER = Outside("169.254.20.10")
HUB = Outside("3.163.189.37")
METADATA = Outside("169.254.169.254")
PEERED = Outside("192.168.7.7")


def selects(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    assert not (selector or {}).get("matchExpressions"), "not needed so far"
    return (selector or {}).get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: dict[str, Any], other: Pod | Outside, namespace: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        address = ip_address(other.address)
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(each) for each in block.get("except", []))
    if isinstance(other, Outside):
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != namespace:
        return False
    return selects(peer.get("podSelector"), other.labels)


def lets_through(rule: dict[str, Any], side: str, other: Pod | Outside, namespace: str, port: int, how: str) -> bool:
    ports = rule.get("ports", [])
    if ports and not any(each["port"] == port and each["protocol"] == how for each in ports):
        return False
    peers = rule.get(side, [])
    return not peers or any(is_peer(peer, other, namespace) for peer in peers)


def open_on(
    pod: Pod | Outside, other: Pod | Outside, direction: str, port: int, how: str, of: list[dict[str, Any]]
) -> bool:
    if isinstance(pod, Outside):
        return True
    binding = [
        policy["spec"]
        for policy in of
        if policy["metadata"]["namespace"] == pod.namespace
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], pod.labels)
    ]
    side = "from" if direction == "Ingress" else "to"
    rules = [rule for spec in binding for rule in spec[direction.lower()]]
    return not binding or any(lets_through(rule, side, other, pod.namespace, port, how) for rule in rules)


def connects(
    source: Pod | Outside,
    target: Pod | Outside,
    port: int,
    how: str = "TCP",
    of: list[dict[str, Any]] = POLICIES,
) -> bool:
    sides = ((source, target, "Egress"), (target, source, "Ingress"))
    return all(open_on(pod, other, direction, port, how, of) for pod, other, direction in sides)


CALLERS = {
    "a pod of a named namespace": CHAT,
    "a client of a named range": CLIENT,
    "Google's load balancer": PROXY,
    "its health check": PROBE,
    "its other health check": OTHER_PROBE,
}
NEEDED = {
    "monitoring scrapes a server": (MONITORING, server(LARGE), 8000),
    "the API server's tunnel reaches a server": (TUNNEL, server(SMALL), 8000),
    "the API server's tunnel reaches a leader": (TUNNEL, server(GROUP), 8000),
    "a smoke test asks its server": (smoke(SMALL), server(SMALL), 8000),
    "a smoke test asks its leader": (smoke(GROUP), server(GROUP), 8000),
    "a server fetches weights": (server(SMALL), HUB, 443),
    "a worker fetches weights": (server(GROUP, Role.WORKER), HUB, 443),
    "a server asks for names": (server(SMALL), NAME_SERVER, 53),
    "a server asks its node for names": (server(SMALL), NODE_NAME_SERVER, 53),
    "a smoke test asks for names": (smoke(SMALL), NAME_SERVER, 53),
    "a worker joins its leader": (server(GROUP, Role.WORKER), server(GROUP), 29501),
    "a leader reaches its worker": (server(GROUP), server(GROUP, Role.WORKER), 41234),
    "preflight pods reach each other": (PREFLIGHT_POD, PREFLIGHT_POD, 222),
}
FORBIDDEN = {
    "a stranger asks a server": (STRANGER, server(SMALL), 8000),
    "a stranger asks a worker": (STRANGER, server(GROUP, Role.WORKER), 29501),
    "the internet asks a server": (HUB, server(SMALL), 8000),
    "a caller reaches what only the group may": (CHAT, server(GROUP), 29501),
    "a load balancer reaches what only the group may": (PROXY, server(GROUP), 29501),
    "a neighbour of a named range asks a server": (Outside("172.16.9.1"), server(SMALL), 8000),
    "a pod of a namespace with a like name asks a server": (Pod("chat-2", CHAT.labels), server(SMALL), 8000),
    "a pod of another namespace with such labels asks a server": (Pod("default", CHAT.labels), server(SMALL), 8000),
    "a caller asks a smoke test": (CHAT, smoke(SMALL), 8000),
    "a caller asks the preflight": (CHAT, PREFLIGHT_POD, 222),
    "a server asks a caller": (server(SMALL), CHAT, 8000),
    "a server asks a load balancer": (server(SMALL), PROXY, 443),
    "monitoring's neighbours ask a server": (Pod("gmp-system", {"app": "other"}), server(SMALL), 8000),
    "another pod of kube-system asks a server": (Pod("kube-system", {"k8s-app": "other"}), server(SMALL), 8000),
    "one model asks another": (server(SMALL), server(LARGE), 8000),
    "one group reaches another": (server(GROUP), server(OTHER_GROUP), 29501),
    "a server asks a group": (server(SMALL), server(GROUP), 8000),
    "a smoke test reaches what only the group may": (smoke(GROUP), server(GROUP), 29501),
    "a smoke test asks a model of another namespace": (smoke(SMALL), server(GROUP), 8000),
    "a smoke test goes to the internet": (smoke(SMALL), HUB, 443),
    "anybody asks a smoke test": (server(SMALL), smoke(SMALL), 8000),
    "a server speaks plain HTTP to the internet": (server(SMALL), HUB, 80),
    "a server asks the metadata server": (server(SMALL), METADATA, 443),
    "a server reaches a peered network": (server(SMALL), PEERED, 443),
    "a server reaches pods elsewhere": (server(SMALL), STRANGER, 443),
    "preflight pods reach a server": (PREFLIGHT_POD, server(GROUP), 8000),
    "preflight pods go to the internet": (PREFLIGHT_POD, HUB, 443),
    "a pod of no policy in the namespace is open": (CHAT, Pod("serving", {"app": "forgotten"}), 8000),
}


@pytest.mark.parametrize(("source", "target", "port"), NEEDED.values(), ids=NEEDED)
def test_what_is_needed_is_let_through(source: Pod | Outside, target: Pod | Outside, port: int) -> None:
    assert connects(source, target, port)


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
@pytest.mark.parametrize("model", PLAN.models, ids=lambda model: model.name)
def test_who_is_named_may_call_every_model_and_who_is_not_may_call_none(
    caller: Pod | Outside, model: ModelServerPlan
) -> None:
    assert connects(caller, server(model), 8000)
    assert not connects(caller, server(model), 8000, of=NOBODY_NAMED)


@pytest.mark.parametrize("model", PLAN.models, ids=lambda model: model.name)
def test_without_a_word_port_forward_and_metrics_work_and_nothing_else(model: ModelServerPlan) -> None:
    (policy,) = [
        each
        for each in NOBODY_NAMED
        if each["metadata"]["name"] == "servers" and each["metadata"]["namespace"] == model.namespace
    ]
    peers = [peer for rule in policy["spec"]["ingress"] if rule.get("ports") for peer in rule["from"]]
    for other in (TUNNEL, MONITORING, smoke(model)):
        assert connects(other, server(model), 8000, of=NOBODY_NAMED)
    assert len(peers) == 3


@pytest.mark.parametrize(("source", "target", "port"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_is_not_needed_is_closed(source: Pod | Outside, target: Pod | Outside, port: int) -> None:
    assert not connects(source, target, port)


@pytest.mark.parametrize("server_of_names", [NAME_SERVER, NODE_NAME_SERVER])
def test_names_are_asked_for_by_udp_too(server_of_names: Pod | Outside) -> None:
    assert connects(server(SMALL), server_of_names, 53, "UDP")
    assert not connects(server(SMALL), HUB, 443, "UDP")


def test_every_policy_closes_both_directions() -> None:
    assert all(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in POLICIES)
