"""Where network policies let a pod go outside of the cluster, and what the hub and nodes can be told."""

from typing import Any

import pytest

from sandbox.cluster.egress_policies import lets_out
from sandbox.cluster.hub_behaviour import HubBehaviour
from sandbox.cluster.node_disk import NodeDisk
from sandbox.models.behaviour import UnknownBehaviour

POD = {"metadata": {"labels": {"app": "server", "tier": "gpu"}}}
ALL_BUT_PRIVATE = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16"]}}
TLS = [{"protocol": "TCP", "port": 443}]


def policy(egress: list[Any] | None, types: tuple[str, ...] = ("Egress",), **selector: Any) -> dict[str, Any]:
    return {"spec": {"podSelector": selector, "policyTypes": list(types), "egress": egress}}


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([], True),
        ([policy(None, ("Ingress",))], True),
        ([policy(None)], False),
        ([policy([{}])], True),
        ([policy([{"to": [ALL_BUT_PRIVATE], "ports": TLS}])], True),
        ([policy(None), policy([{"to": [ALL_BUT_PRIVATE], "ports": TLS}])], True),
        ([policy([{"to": [ALL_BUT_PRIVATE], "ports": [{"protocol": "UDP", "port": 443}]}])], False),
        ([policy([{"to": [ALL_BUT_PRIVATE], "ports": [{"port": 80}]}])], False),
        ([policy([{"to": [ALL_BUT_PRIVATE], "ports": [{"port": 400, "endPort": 500}]}])], True),
        ([policy([{"to": [{"podSelector": {}}, {"namespaceSelector": {}}]}])], False),
        ([policy([{"to": [{"ipBlock": {"cidr": "8.0.0.0/8"}}]}])], True),
        ([policy([{"to": [{"ipBlock": {"cidr": "8.0.0.0/8", "except": ["8.8.0.0/16"]}}]}])], False),
        ([policy(None, matchLabels={"app": "server"})], False),
        ([policy(None, matchLabels={"app": "other"})], True),
        ([policy(None, matchExpressions=[{"key": "tier", "operator": "In", "values": ["gpu"]}])], False),
        ([policy(None, matchExpressions=[{"key": "tier", "operator": "NotIn", "values": ["gpu"]}])], True),
        ([policy(None, matchExpressions=[{"key": "tier", "operator": "Exists"}])], False),
        ([policy(None, matchExpressions=[{"key": "tier", "operator": "DoesNotExist"}])], True),
    ],
)
def test_a_pod_gets_out_where_no_policy_selects_it_or_one_lets_it(policies: list[Any], allowed: bool) -> None:
    assert lets_out(policies, POD, "8.8.4.4", 443) is allowed


def test_what_is_excepted_is_not_reached() -> None:
    assert not lets_out([policy([{"to": [ALL_BUT_PRIVATE]}])], POD, "169.254.169.254", 80)


def test_behaviours_are_what_their_words_say() -> None:
    assert HubBehaviour.parse("") == HubBehaviour()
    assert HubBehaviour.parse("gated, truncated=a.bin,truncated=b/c.json") == HubBehaviour(
        gated=True, truncated=frozenset({"a.bin", "b/c.json"})
    )
    assert NodeDisk.parse("disk=3MiB") == NodeDisk(3 << 20)


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (HubBehaviour.parse, "truncated=", "'truncated=' is no behaviour of the hub; write unreachable, gated"),
        (NodeDisk.parse, "disk=3", "'disk=3' is nothing that nodes do; write disk=100KiB"),
    ],
)
def test_an_unknown_behaviour_is_refused_with_those_there_are(parse: Any, text: str, said: str) -> None:
    with pytest.raises(UnknownBehaviour, match=said):
        parse(text)
