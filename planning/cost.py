"""What a stack costs by the hour at list prices; what has no published price is unknown, never zero."""

from catalog import FEES, CapacityKind, price
from planning.address_use import ZONES
from planning.plan import CostItem, CostPlan, NodePoolPlan, SystemPoolPlan

_FEES_REGION = "us-central1"
"""The one region whose fees were found."""


def pool_hour_usd(pool: NodePoolPlan, region: str) -> float | None:
    """US dollars for an hour of one node of the pool, or None if no price is published."""
    found = price(pool.machine_type, region, CapacityKind(pool.provisioning))
    return None if found is None else found.usd


def plan_cost(region: str, system: SystemPoolPlan, pools: tuple[NodePoolPlan, ...]) -> CostPlan:
    """Machines at their most and least variable: accelerator pools whole, the system pool at its minimum.

    Traffic, disks beyond the machines' own and storage are left out.
    """
    fees = FEES[_FEES_REGION]
    items = [
        CostItem(
            what="cluster fee",
            count=1,
            usd_per_hour=fees.cluster_hour.usd,
            as_of=fees.cluster_hour.as_of,
            note=None if region == _FEES_REGION else f"of {_FEES_REGION}",
        ),
        _machines(
            "system pool", system.machine_type, system.min_nodes_per_zone * ZONES, region, CapacityKind.ON_DEMAND
        ),
    ]
    items += [
        _machines(f"pool {pool.name}", pool.machine_type, pool.nodes, region, CapacityKind(pool.provisioning))
        for pool in pools
    ]
    return CostPlan(items=tuple(items))


def _machines(what: str, machine_type: str, count: int, region: str, kind: CapacityKind) -> CostItem:
    found = price(machine_type, region, kind)
    name = f"{what}: {count} x {machine_type}, {kind.value}"
    if found is None:
        return CostItem(what=name, count=count, usd_per_hour=None, as_of=None, note=f"no price known in {region}")
    flags = [flag for flag, set_ in (("derived", found.derived), ("uncertain", found.uncertain)) if set_]
    return CostItem(
        what=name, count=count, usd_per_hour=found.usd * count, as_of=found.as_of, note=", ".join(flags) or None
    )
