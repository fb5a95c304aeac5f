"""A stack that may cost more than its bound is refused with both numbers, and so is one whose price nobody knows."""

from typing import Any

import pytest

from config.validate import validate
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from tests.unit.google_rules import changed, stack_values

SPOT_L4 = {"min": 0, "max": 4}


def planned(bound: float | None, **changes: Any) -> PlatformPlan:
    spend = None if bound is None else {"maxUsdPerHour": bound}
    values = changed(stack_values("dev"), {"nodePools.0.nodes": SPOT_L4, "spend": spend, **changes})
    return plan_platform(validate("dev", values, frozenset(), to_deploy=False), "dev")


def test_what_the_autoscaler_may_add_counts() -> None:
    free = planned(None).cost
    assert free.usd_per_hour and free.usd_per_hour_at_most and free.usd_per_hour_at_most > free.usd_per_hour + 0.5
    assert planned(free.usd_per_hour_at_most + 0.01).cost == free
    with pytest.raises(ValueError, match="the bound is") as refused:
        planned(free.usd_per_hour + 0.01)
    most, bound = f"{free.usd_per_hour_at_most:.2f}", f"{free.usd_per_hour + 0.01:.2f}"
    assert (
        f"inference-platform:spend.maxUsdPerHour: the stack may cost {most} USD an hour, and the bound is {bound}. "
        "Write a higher bound, or fewer nodes at most"
    ) in str(refused.value)


# Reservations of this machine have no list price.
UNPRICED = {
    "region": "us-central1",
    "nodePools.0": {
        "name": "gb200",
        "accelerator": "gb200",
        "zone": "us-central1-a",
        "nodes": 1,
        "capacity": {"kind": "reservation", "name": "mine", "block": "b", "subBlock": "s"},
    },
}


def test_what_has_no_published_price_is_refused_until_somebody_takes_it_on() -> None:
    with pytest.raises(ValueError, match="no price is known of") as refused:
        planned(100, **UNPRICED)
    assert "a4x-highgpu-4g" in str(refused.value)
    assert "so nobody can say that it keeps to the bound. Write spend.allowUnknownPrice: true" in str(refused.value)
    taken = planned(100, **UNPRICED, spend={"maxUsdPerHour": 100, "allowUnknownPrice": True})
    assert taken.cost.usd_per_hour_at_most is None


def test_no_bound_refuses_nothing() -> None:
    assert planned(None, **UNPRICED).cost.usd_per_hour is None
