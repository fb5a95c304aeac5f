"""Which of the project's GPU limits a stack needs, and how high."""

from catalog import ACCELERATORS, CapacityKind
from config.settings import Settings
from planning.plan import NodePoolPlan, QuotaNeed


def plan_quotas(settings: Settings, pools: tuple[NodePoolPlan, ...]) -> tuple[QuotaNeed, ...]:
    """One need for each limit; a limit that a fresh project does not show is unknown, not zero."""
    needs: dict[tuple[str | None, str | None], QuotaNeed] = {}
    accelerators = {pool.name: ACCELERATORS[pool.accelerator] for pool in settings.node_pools}
    for pool in pools:
        quota = accelerators[pool.name].quota
        kind = CapacityKind(pool.provisioning)
        key = (quota.metric_for(kind), quota.quota_id)
        before = needs[key].amount if key in needs else 0
        needs[key] = QuotaNeed(
            metric=key[0],
            quota_id=key[1],
            region=settings.region,
            amount=before + pool.max_nodes * pool.gpus_per_node,
            note="" if quota.certain else "the limit's name is not certain",
        )
    return tuple(needs.values())
