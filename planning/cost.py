"""What a stack costs by the hour at list prices; what has no published price is unknown, never zero."""

from catalog import FEES, CapacityKind, price
from planning.address_use import ZONES
from planning.plan import CostItem, NodePoolPlan, PoolUse, SystemPoolPlan

_FEES_REGION = "us-central1"
"""The one region whose fees were found."""


def machine_hour_usd(machine_type: str, region: str, kind: CapacityKind) -> float | None:
    """US dollars for an hour of a machine that is obtained so, or None if no price is published."""
    found = price(machine_type, region, kind)
    return None if found is None else found.usd


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
        items.append(
            _machines(f"pool {pool.name}", pool.machine_type, fewest, pool.max_nodes, region, pool.provisioning)
        )
    return tuple(items)


def _cluster(region: str, system: SystemPoolPlan) -> list[CostItem]:
    fees = FEES[_FEES_REGION]
    return [
        CostItem(
            what="cluster fee",
            count=1,
            usd_per_hour=fees.cluster_hour.usd,
            usd_per_hour_at_most=fees.cluster_hour.usd,
            as_of=fees.cluster_hour.as_of,
            note=None if region == _FEES_REGION else f"of {_FEES_REGION}",
        ),
        _machines("system pool", system.machine_type, *_system_nodes(system), region, CapacityKind.ON_DEMAND),
    ]


def _system_nodes(system: SystemPoolPlan) -> tuple[int, int]:
    return system.min_nodes_per_zone * ZONES, system.max_nodes_per_zone * ZONES


def _machines(what: str, machine_type: str, count: int, most: int, region: str, kind: CapacityKind) -> CostItem:
    found = price(machine_type, region, kind)
    number = str(count) if count == most else f"{count} to {most}"
    detail = f"{number} x {machine_type}, {kind.value}"
    if found is None:
        return CostItem(
            what=what,
            detail=detail,
            count=count,
            usd_per_hour=None,
            usd_per_hour_at_most=None,
            as_of=None,
            note=f"no price known in {region}",
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
