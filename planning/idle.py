"""Counts the GPUs that are paid for and that no model uses, and refuses those that nobody accepted.

A machine is paid for whole, so GPUs beside a server on its machine count; an autoscaled pool counts the nodes that it
keeps or that its models need, whichever are more. A pool whose reservation has not begun has no nodes yet, and pools
that the stack joins are their owner's to fill.
"""

from config.cluster import Provided
from config.settings import Settings
from planning.errors import Findings
from planning.plan import IdleUse, NodePoolPlan, PoolUse
from planning.prices import PriceList


def plan_idle(settings: Settings, pools: tuple[NodePoolPlan, ...], uses: tuple[PoolUse, ...]) -> tuple[IdleUse, ...]:
    """One entry for each pool that the stack makes, full ones too."""
    if settings.cluster.provides(Provided.NODE_POOLS):
        return ()
    by_pool = {use.pool: use for use in uses}
    return tuple(_idle(pool, by_pool[pool.name], settings) for pool in pools)


def _idle(pool: NodePoolPlan, use: PoolUse, settings: Settings) -> IdleUse:
    nodes = 0 if pool.waits else min(max(len(use.used), pool.min_nodes), pool.max_nodes)
    gpus = nodes * pool.gpus_per_node
    idle = gpus - use.used_gpus if gpus else 0
    price = PriceList(settings.region, pool.provisioning).usd_of(pool.machine_type)
    return IdleUse(
        pool=pool.name,
        gpus=gpus,
        idle=idle,
        acknowledged=min(idle, settings.acknowledge_idle.get(pool.name, 0)),
        usd_per_hour=0.0 if not idle else None if price is None else price * idle / pool.gpus_per_node,
    )


def check_idle(settings: Settings, idle: tuple[IdleUse, ...], findings: Findings) -> None:
    """Warns of every GPU that is idle and not acknowledged; refuses them in a protected stack, or above the bound."""
    _check_acknowledged(settings, idle, findings)
    left = [use for use in idle if use.unacknowledged]
    if not left:
        return
    paths = {pool.name: f"nodePools[{index}].nodes" for index, pool in enumerate(settings.node_pools)}
    bound = settings.spend.max_idle_usd_per_hour if settings.spend else None
    if bound is not None:
        _check_bound(settings, bound, left, findings)
    elif settings.protection:
        for use in left:
            findings.refuse(paths[use.pool], f"{_said(use)}, and the stack is protected", _advice(use))
        return
    for use in reversed(left):
        findings.warn(paths[use.pool], f"{_said(use)}. {_advice(use)}", first=True)


def _check_bound(settings: Settings, bound: float, left: list[IdleUse], findings: Findings) -> None:
    names = ", ".join(f"{use.pool} {_of(use)}" for use in left)
    advice = "Put models on them, write fewer nodes, a higher bound, or what you accept under acknowledgeIdle"
    unknown = [use.pool for use in left if use.unacknowledged_usd_per_hour is None]
    if unknown and not (settings.spend and settings.spend.allow_unknown_price):
        findings.refuse(
            "spend.maxIdleUsdPerHour",
            f"no price is known of the idle GPUs of {', '.join(unknown)}, so nobody can say that they keep to "
            "the bound",
            f"{advice}; or spend.allowUnknownPrice: true to count them as nothing",
        )
    total = sum(use.unacknowledged_usd_per_hour or 0.0 for use in left)
    if total > bound:
        findings.refuse(
            "spend.maxIdleUsdPerHour",
            f"idle GPUs ({names}) cost {total:.2f} USD an hour, and the bound is {bound:.2f}",
            advice,
        )


def _check_acknowledged(settings: Settings, idle: tuple[IdleUse, ...], findings: Findings) -> None:
    found = {use.pool: use for use in idle}
    for name, gpus in settings.acknowledge_idle.items():
        path = f"acknowledgeIdle.{name}"
        if name not in found:
            findings.warn(path, f"names no node pool that this stack makes; it has {', '.join(found) or 'none'}")
        elif gpus > found[name].idle:
            findings.warn(path, f"accepts {gpus} idle GPUs, and {found[name].idle} are; write that, or leave it out")


def _said(use: IdleUse) -> str:
    usd = use.unacknowledged_usd_per_hour
    cost = "the price of which nobody publishes" if usd is None else f"at {usd:.2f} USD an hour"
    return f"{_of(use)} of pool {use.pool} are idle, {cost}"


def _advice(use: IdleUse) -> str:
    return f"Put models on them, write fewer nodes, or accept them: acknowledgeIdle: {{{use.pool}: {use.idle}}}"


def _of(use: IdleUse) -> str:
    return f"{use.unacknowledged} of {use.gpus} GPUs"
