"""What a stack costs by the hour at list prices; what has no published price is unknown, never zero."""

from catalog import FEES, CapacityKind
from planning.address_use import ZONES
from planning.plan import CostItem, NodePoolPlan, PoolUse, SystemPoolPlan
from planning.prices import PriceList

_FEES_REGION = "us-central1"
"""The one region whose fees were found."""


def cost_items(
    region: str, system: SystemPoolPlan | None, pools: tuple[NodePoolPlan, ...], uses: tuple[PoolUse, ...]
) -> tuple[CostItem, ...]:
    """Machines at the fewest that the models leave the autoscaler, and at the most that there can be.

    Traffic, disks beyond the machines' own and storage are left out; so is, where `system` is None, the cluster that
    the stack joins.
    """
    items = _cluster(region, system) if system else []
    needed = {use.pool: len(use.used) for use in uses}
    for pool in pools:
        fewest = min(max(needed[pool.name], pool.min_nodes), pool.max_nodes)
        prices = PriceList(region, pool.provisioning)
        items.append(_machines(f"pool {pool.name}", pool.machine_type, fewest, pool.max_nodes, prices))
    return tuple(items)


def _cluster(region: str, system: SystemPoolPlan) -> list[CostItem]:
    fees, on_demand = FEES[_FEES_REGION], PriceList(region, CapacityKind.ON_DEMAND)
    return [
        CostItem(
            what="cluster fee",
            count=1,
            usd_per_hour=fees.cluster_hour.usd,
            usd_per_hour_at_most=fees.cluster_hour.usd,
            as_of=fees.cluster_hour.as_of,
            note=None if region == _FEES_REGION else f"of {_FEES_REGION}",
        ),
        _machines("system pool", system.machine_type, *_system_nodes(system), on_demand),
    ]


def _system_nodes(system: SystemPoolPlan) -> tuple[int, int]:
    return system.min_nodes_per_zone * ZONES, system.max_nodes_per_zone * ZONES


def _machines(what: str, machine_type: str, count: int, most: int, prices: PriceList) -> CostItem:
    found = prices.of(machine_type)
    number = str(count) if count == most else f"{count} to {most}"
    detail = f"{number} x {machine_type}, {prices.name}"
    if found is None:
        return CostItem(
            what=what,
            detail=detail,
            count=count,
            usd_per_hour=None,
            usd_per_hour_at_most=None,
            as_of=None,
            note=f"no price known in {prices.region}",
        )
    flags = [flag for flag, set_ in (("derived", found.derived), ("uncertain", found.uncertain)) if set_]
    return CostItem(
        what=what,
        detail=detail,
        count=count,
        usd_per_hour=found.usd * count,
        usd_per_hour_at_most=found.usd * most,
        as_of=found.as_of,
        note=", ".join(flags) or None,
    )
