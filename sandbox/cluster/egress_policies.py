"""Whether the network policies of a pod's namespace let it connect to an address outside of the cluster."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.cluster.pods import Pod

Object = dict[str, Any]


def lets_out(policies: Sequence[Object], pod: Pod, address: str, port: int) -> bool:
    """`policies`: all of the pod's namespace. A pod that none selects may connect to everything, by TCP here."""
    labels: dict[str, str] = pod["metadata"].get("labels", {})
    specs: list[Object] = [policy["spec"] for policy in policies]
    outward = [spec for spec in specs if "Egress" in spec["policyTypes"]]
    about_it = [spec for spec in outward if _selects(spec.get("podSelector", {}), labels)]
    return not about_it or any(_lets_out(spec, address, port) for spec in about_it)


def _lets_out(spec: Object, address: str, port: int) -> bool:
    rules: list[Object] = spec.get("egress") or []
    return any(_to(rule, address) and _by(rule, port) for rule in rules)


def _to(rule: Object, address: str) -> bool:
    """Selectors of pods and namespaces lead to nothing outside."""
    peers: list[Object] = rule.get("to") or []
    return not peers or any("ipBlock" in peer and _holds(peer["ipBlock"], address) for peer in peers)


def _holds(block: Object, address: str) -> bool:
    there = ip_address(address)
    return there in ip_network(block["cidr"]) and not any(there in ip_network(each) for each in block.get("except", []))


def _by(rule: Object, port: int) -> bool:
    ports: list[Object] = rule.get("ports") or []
    return not ports or any(_is(each, port) for each in ports)


def _is(allowed: Object, port: int) -> bool:
    first = allowed.get("port")
    if allowed.get("protocol", "TCP") != "TCP" or isinstance(first, str):
        return False
    return first is None or first <= port <= allowed.get("endPort", first)


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    pairs: dict[str, str] = selector.get("matchLabels") or {}
    expressions: list[Object] = selector.get("matchExpressions") or []
    return pairs.items() <= labels.items() and all(_holds_for(each, labels) for each in expressions)


def _holds_for(expression: Object, labels: dict[str, str]) -> bool:
    found = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return found in expression["values"]
        case "NotIn":
            return found not in expression["values"]
        case "Exists":
            return found is not None
        case _:
            return found is None
