"""Who may call the models is what the stack file names, and what would let in more than it says is one clear error."""

from typing import Any

import pytest

from config.validate import validate
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from planning.report import sections, to_text
from tests.unit.google_rules import changed, stack_values

REGIONAL = {"scope": "regional", "proxyOnlyRange": "10.129.0.0/23"}
NETWORK = {"existing": {"network": "shared", "subnetwork": "gke", "podsRange": "pods", "servicesRange": "services"}}


def planned(callers: Any, **changes: Any) -> PlatformPlan:
    values = changed(stack_values("dev"), {"access": {"callers": callers}, **changes})
    return plan_platform(validate("dev", values, frozenset(), to_deploy=False), "dev")


def refused(callers: Any) -> str:
    with pytest.raises(ValueError, match="cannot be used") as caught:
        planned(callers)
    return str(caught.value)


def test_nobody_is_named_by_default() -> None:
    values = stack_values("dev")
    assert "access" not in values
    plan = plan_platform(validate("dev", values, frozenset(), to_deploy=False), "dev")
    assert [caller.why for caller in plan.access.callers] == ["metrics", "kubectl port-forward and the service proxy"]
    assert plan.access.caller_ranges == ()
    assert planned({}).access == plan.access


def test_namespaces_and_ranges_are_callers_as_they_are_written() -> None:
    access = planned({"namespaces": ["chat", "batch-2"], "ranges": ["10.20.0.0/16", "192.168.7.7/32"]}).access
    assert [caller.namespace for caller in access.callers[:2]] == ["chat", "batch-2"]
    assert all(caller.pod_labels == {} for caller in access.callers[:2])
    assert [each.cidr for each in access.caller_ranges] == ["10.20.0.0/16", "192.168.7.7/32"]


def test_googles_load_balancers_check_health_from_their_own_ranges() -> None:
    probes = ["35.191.0.0/16", "130.211.0.0/22"]
    assert [each.cidr for each in planned({"googleLoadBalancers": {"scope": "global"}}).access.caller_ranges] == probes
    regional = planned({"googleLoadBalancers": REGIONAL}).access.caller_ranges
    assert [each.cidr for each in regional] == ["10.129.0.0/23", *probes]


def test_the_plan_says_who_may_call_and_what_for() -> None:
    plan = planned({"namespaces": ["chat"], "googleLoadBalancers": REGIONAL})
    lines = to_text(sections(plan, "dev")).splitlines()
    table = lines[lines.index("May call the models") :]
    assert any(line.split() == ["pods", "of", "chat", "requests", "of", "its", "pods"] for line in table)
    assert any(line.startswith("10.129.0.0/23") and "load balancers" in line for line in table)


@pytest.mark.parametrize(
    ("callers", "path", "said"),
    [
        ({"ranges": ["0.0.0.0/0"]}, "ranges[0]", "lets in 4,294,967,296 addresses; write ranges of /8 or narrower"),
        ({"ranges": ["10.0.0.0/7"]}, "ranges[0]", "lets in 33,554,432 addresses"),
        ({"ranges": ["128.0.0.0/1"]}, "ranges[0]", "lets in 2,147,483,648 addresses"),
        ({"ranges": ["::/0"]}, "ranges[0]", "is IPv6, and the cluster's networks are IPv4 alone"),
        ({"ranges": ["2001:db8::/32"]}, "ranges[0]", "is IPv6"),
        ({"ranges": ["10.20.0.1/16"]}, "ranges[0]", "has host bits set"),
        ({"ranges": ["10.20.0.0/33"]}, "ranges[0]", "is no IPv4 range"),
        ({"ranges": ["office"]}, "ranges[0]", "is no IPv4 range"),
        ({"ranges": [""]}, "ranges[0]", "is no IPv4 range"),
        ({"ranges": [167772160]}, "ranges[0]", "is no range; write one such as 10.20.0.0/16"),
        ({"ranges": [True]}, "ranges[0]", "is no range"),
        ({"ranges": [None]}, "ranges[0]", "is no range"),
        ({"ranges": ["127.0.0.0/8"]}, "ranges[0]", "holds addresses that no client has"),
        ({"ranges": ["0.0.0.0/8"]}, "ranges[0]", "holds addresses that no client has"),
        ({"ranges": ["169.254.169.254/32"]}, "ranges[0]", "holds addresses that no client has"),
        ({"ranges": ["224.0.0.0/8"]}, "ranges[0]", "holds addresses that no client has"),
        ({"ranges": ["10.20.0.0/16", "10.20.0.0/16"]}, "", "ranges: 10.20.0.0/16 is there twice"),
        # The stack's block is 10.0.0.0/12, of which pods have the first quarter.
        ({"ranges": ["10.0.0.0/8"]}, "ranges[0]", "10.0.0.0/8 holds addresses of the cluster's pods (10.0.0.0/14)"),
        ({"ranges": ["10.1.2.0/24"]}, "ranges[0]", "Name callers in the cluster by their namespace"),
        ({"ranges": ["10.4.0.0/24"]}, "ranges[0]", "the cluster's services (10.4.0.0/20)"),
        ({"ranges": ["10.4.16.5/32"]}, "ranges[0]", "the cluster's nodes (10.4.16.0/20)"),
        ({"namespaces": ["Chat"]}, "namespaces[0]", "'Chat' is not of the form"),
        ({"namespaces": ["a" * 64]}, "namespaces[0]", "is not of the form"),
        ({"namespaces": ["chat/web"]}, "namespaces[0]", "is not of the form"),
        ({"namespaces": [""]}, "namespaces[0]", "is not of the form"),
        ({"namespaces": ["*"]}, "namespaces[0]", "is not of the form"),
        ({"namespaces": [7]}, "namespaces[0]", "should be a valid string"),
        ({"namespaces": ["serving"]}, "namespaces[0]", "is a namespace of the stack's own servers"),
        ({"namespaces": ["chat", "serving-rdma"]}, "namespaces[1]", "is a namespace of the stack's own servers"),
        ({"namespaces": ["nccl-preflight"]}, "namespaces[0]", "is a namespace of the stack's own servers"),
        ({"namespaces": ["chat", "chat"]}, "", "namespaces: chat is there twice"),
        ({"namespaces": "chat"}, "namespaces", "must be a list"),
        ({"namespaces": [f"n{number}" for number in range(51)]}, "namespaces", "at most 50"),
        ({"googleLoadBalancers": {"scope": "regional"}}, "googleLoadBalancers", "proxyOnlyRange: is missing"),
        (
            {"googleLoadBalancers": {**REGIONAL, "scope": "global"}},
            "googleLoadBalancers",
            "global load balancer has none",
        ),
        ({"googleLoadBalancers": {"scope": "zonal"}}, "googleLoadBalancers.scope", "'regional' or 'global'"),
        ({"googleLoadBalancers": {}}, "googleLoadBalancers.scope", "is missing"),
        ({"googleLoadBalancers": True}, "googleLoadBalancers", ""),
        (
            {"googleLoadBalancers": {**REGIONAL, "proxyOnlyRange": "10.1.0.0/23"}},
            "googleLoadBalancers.proxyOnlyRange",
            "holds addresses of the cluster's pods",
        ),
        (
            {"googleLoadBalancers": {**REGIONAL, "proxyOnlyRange": "0.0.0.0/0"}},
            "googleLoadBalancers.proxyOnlyRange",
            "lets in 4,294,967,296 addresses",
        ),
        ({"namespace": ["chat"]}, "namespace", "Did you mean namespaces?"),
        ([], "", ""),
    ],
)
def test_what_would_let_in_more_than_it_says_is_one_error(callers: Any, path: str, said: str) -> None:
    text = refused(callers)
    where = "inference-platform:access.callers" + (f".{path}" if path else "")
    assert f"  {where}: " in text and said in text
    assert text.count("inference-platform:") == 1 and "Traceback" not in text


def test_a_range_beside_a_joined_network_is_warned_of_since_its_pods_are_not_known() -> None:
    plan = planned({"ranges": ["10.1.0.0/16"]}, network=NETWORK)
    (warning,) = [warning for warning in plan.warnings if "access" in warning.path]
    assert warning.path == "inference-platform:access.callers.ranges[0]"
    assert "holds no pods of the network that is joined" in warning.text
