"""Rules for the size of a stack: a limit for each pool, and for the cost of all of them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from policy.resource_types import CLUSTER, NODE_POOL
from policy.resources import Resource, Stack, items, value_at
from policy.rule import Level, Rule, stack_of

BOUNDS = Path(__file__).with_name("bounds.yaml")
_ZONES = 3
"""The zones over which a regional pool is spread if it names none."""


def _unbounded(resource: Resource, _: Stack) -> Iterable[str]:
    makes_pools = resource.type == CLUSTER and resource.get("clusterAutoscaling.enabled")
    if makes_pools and not items(resource.get("clusterAutoscaling.resourceLimits")):
        yield "makes pools by itself without a limit; write clusterAutoscaling.resourceLimits"
    if resource.type != NODE_POOL or not _has_gpus(resource):
        return
    scaling = resource.get("autoscaling")
    if scaling is None:
        silent = not any(key in resource.properties for key in ("nodeCount", "initialNodeCount", "autoscaling"))
        if silent:
            yield "has neither a number of nodes nor a bound on them; write autoscaling.totalMaxNodeCount"
    elif _most(resource) is None and not resource.unknown("autoscaling.totalMaxNodeCount"):
        yield "scales without a bound; write autoscaling.totalMaxNodeCount"


def _has_gpus(pool: Resource) -> bool:
    return bool(items(pool.get("nodeConfig.guestAccelerators")))


def _most(pool: Resource) -> int | None:
    """The most nodes that the pool may have; None if it does not say."""
    total = pool.get("autoscaling.totalMaxNodeCount")
    if total is not None:
        return int(total)
    zones = len(items(pool.get("nodeLocations"))) or _ZONES
    in_each = pool.get("autoscaling.maxNodeCount")
    if in_each is None:
        in_each = pool.get("nodeCount")
    if in_each is None:
        in_each = pool.get("initialNodeCount")
    return None if in_each is None else int(in_each) * zones


def _spend(stack: Stack) -> Iterable[tuple[Resource | None, str]]:
    bound = bound_of(stack.name)
    total = 0.0
    for pool in stack.resources:
        price = _usd_per_hour(pool) if pool.type == NODE_POOL else None
        total += price or 0.0
    if total > bound:
        yield (
            None,
            (
                f"its nodes may cost {total:,.0f} USD per hour at list prices, and {bound:,.0f} is the bound of "
                f"{stack.name}; ask for fewer nodes, or raise the bound in {BOUNDS.parent.name}/{BOUNDS.name}"
            ),
        )


def bound_of(stack: str) -> float:
    """The limit, in US dollars per hour, for all nodes of the stack."""
    bounds: dict[str, Any] = yaml.safe_load(BOUNDS.read_text(encoding="utf-8"))["usdPerHourAtMost"]
    return float(bounds.get("stacks", {}).get(stack, bounds["default"]))


def _usd_per_hour(pool: Resource) -> float | None:
    """The cost, in US dollars per hour, of all nodes that the pool may have; None if it is not known."""
    # Reading the catalogue takes a while, and most rules never need a price.
    from catalog import CapacityKind, price

    machine, nodes = pool.get("nodeConfig.machineType"), _most(pool)
    region = _region(pool)
    if machine is None or nodes is None or region is None:
        return None
    config = cast(Mapping[str, Any], pool.get("nodeConfig") or {})
    use = value_at(config, "reservationAffinity.consumeReservationType")
    kinds = [kind for kind in CapacityKind if kind.traits.flag and value_at(config, kind.traits.flag)]
    kinds += [CapacityKind.RESERVATION] if use == CapacityKind.RESERVATION.traits.reservations else []
    found = price(str(machine), region, next(iter(kinds), CapacityKind.ON_DEMAND))
    return None if found is None else found.usd * nodes


def _region(pool: Resource) -> str | None:
    location = pool.get("location")
    if not isinstance(location, str):
        return None
    # A zone's name is that of its region and a letter.
    return location if location.count("-") == 1 else location.rsplit("-", 1)[0]


def _pool(**properties: Any) -> Stack:
    config = {"machineType": "a3-highgpu-8g", "guestAccelerators": [{"type": "nvidia-h100-80gb", "count": 8}]}
    common = {"cluster": "own", "location": "us-central1", "nodeConfig": config}
    return stack_of(Resource(type=NODE_POOL, name="example", properties={**common, **properties}))


RULES = (
    Rule(
        id="capacity-bounded-pool",
        level=Level.MANDATORY,
        reason="A pool of GPUs that scales without a bound spends without one.",
        check=_unbounded,
        failing=_pool(autoscaling={"totalMinNodeCount": 0}),
        passing=_pool(autoscaling={"totalMinNodeCount": 0, "totalMaxNodeCount": 4}, nodeLocations=["us-central1-a"]),
    ),
    Rule(
        id="capacity-spend-bound",
        level=Level.MANDATORY,
        reason="A digit too many in a stack file should cost a review, not a budget.",
        check_stack=_spend,
        failing=_pool(nodeCount=100, nodeLocations=["us-central1-a"]),
        passing=_pool(nodeCount=1, nodeLocations=["us-central1-a"]),
    ),
)
