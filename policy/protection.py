"""Rules for protection: in production a typing mistake must not delete the cluster or its networks."""

from collections.abc import Iterable

from policy.resource_types import CLUSTER, NETWORK
from policy.resources import Resource, Stack
from policy.rule import Level, Rule, stack_of


def _cluster(resource: Resource, stack: Stack) -> Iterable[str]:
    if not stack.production or resource.type != CLUSTER:
        return
    if not resource.protect:
        yield "is not protected in production; write protection: true in its stack file"
    if resource.get("deletionProtection") is not True and not resource.unknown("deletionProtection"):
        yield "may be deleted at Google in production; write protection: true in its stack file"


def _network(resource: Resource, stack: Stack) -> Iterable[str]:
    if stack.production and resource.type == NETWORK and not resource.protect:
        yield "is not protected in production; write protection: true in its stack file"


def _example(type_: str, *, safe: bool) -> Stack:
    properties = {"deletionProtection": safe} if type_ == CLUSTER else {}
    return stack_of(Resource(type=type_, name="example", properties=properties, protect=safe), name="production")


RULES = (
    Rule(
        id="protection-cluster",
        level=Level.MANDATORY,
        reason="With the cluster goes every model; hours pass until GPUs of that number are found again.",
        check=_cluster,
        failing=_example(CLUSTER, safe=False),
        passing=_example(CLUSTER, safe=True),
    ),
    Rule(
        id="protection-network",
        level=Level.MANDATORY,
        reason="A network cannot change what it is; losing it takes the cluster and the pools with it.",
        check=_network,
        failing=_example(NETWORK, safe=False),
        passing=_example(NETWORK, safe=True),
    ),
)
