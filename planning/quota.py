"""Which limits of the project a stack comes up against, and how much of each it takes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog import CapacityKind, DiskType, MachineType
from catalog.quotas import QuotaLimit, QuotaScope, compute_quotas
from config.cluster import Provided
from config.settings import Settings
from planning.address_use import ZONES
from planning.plan import ClusterPlan, ExistingClusterPlan, FabricPlan, NodePoolPlan, QuotaNeed
from planning.pools import ResolvedPool

_SMALL_VCPUS = 2
"""The vCPUs of machines with a shared core, whose names do not tell them."""


@dataclass(frozen=True)
class _Use:
    """A part of the stack against one limit."""

    limit: QuotaLimit
    at_first: int | None
    amount: int | None
    held: int = 0
    """The part of the amount that a reservation holds."""
    family: str | None = None
    """The family, such as A3, where the limit is counted by family; else None."""


@dataclass(frozen=True)
class CountedPool:
    """A pool and its plan, of which a reservation that has not begun takes nothing yet."""

    resolved: ResolvedPool
    plan: NodePoolPlan
    """With all the nodes that there can be."""
    at_first: int
    """Nodes that it is made with; none where it waits for its reservation."""


def plan_quotas(
    settings: Settings,
    cluster: ClusterPlan | ExistingClusterPlan,
    pools: tuple[CountedPool, ...],
    fabric: FabricPlan | None,
) -> tuple[QuotaNeed, ...]:
    """One need for each limit, those of GPUs first; what somebody else's cluster provides takes nothing.

    A limit that a fresh project does not show is unknown, not zero.
    """
    if settings.cluster.provides(Provided.NODE_POOLS):
        return ()
    uses = [*_machines(pools), *_networks(settings, pools, fabric)]
    if isinstance(cluster, ClusterPlan):
        uses += _cluster(cluster)
    return (*_gpus(settings.region, pools), *_sums(uses, settings.region))


def _gpus(region: str, pools: tuple[CountedPool, ...]) -> Iterator[QuotaNeed]:
    """One need for each kind of GPU and way to have it."""
    needs: dict[tuple[str, str | None, str | None], QuotaNeed] = {}
    for each in pools:
        pool, accelerator, kind = each.plan, each.resolved.accelerator, each.resolved.kind
        quota, gpus = accelerator.quota, pool.nodes_at_once * pool.gpus_per_node
        key = (accelerator.name, quota.metric_for(kind), quota.quota_id_for(kind))
        before = needs.get(key)
        needs[key] = QuotaNeed(
            limit=QuotaLimit(
                what=f"{'preemptible ' if kind.traits.preemptible else ''}GPUs: {accelerator.title}",
                scope=QuotaScope.REGION,
                metric=key[1],
                quota_id=key[2],
                certain=quota.certain,
            ),
            region=region,
            dimensions=quota.dimensions_for(kind),
            at_first=each.at_first * pool.gpus_per_node + ((before.at_first or 0) if before else 0),
            amount=gpus + ((before.amount or 0) if before else 0),
            held_by_reservations=_held(pool, gpus) + (before.held_by_reservations if before else 0),
        )
    yield from needs.values()


def _machines(pools: tuple[CountedPool, ...]) -> Iterator[_Use]:
    """What accelerator nodes take besides their GPUs; of vCPUs nothing, which Google does not count for them."""
    limits = compute_quotas()
    for each in pools:
        pool, few, nodes = each.plan, each.at_first, each.plan.nodes_at_once
        gpus, disk = pool.gpus_per_node, pool.boot_disk_size_gib
        yield _Use(limits.gpus_all_regions, few * gpus, nodes * gpus, _held(pool, nodes * gpus))
        yield _Use(_disk_limit(pool.boot_disk_type), few * disk, nodes * disk)
        if pool.local_ssds:
            yield _local_ssds(pool, each.resolved.machine, few)
        yield _Use(limits.instances, few, nodes, _held(pool, nodes))
        yield _Use(limits.instance_group_managers, 1, 1)
        if pool.placement:
            yield _Use(limits.resource_policies, 1, 1)


def _local_ssds(pool: NodePoolPlan, machine: MachineType, few: int) -> _Use:
    limits, each = compute_quotas(), machine.local_ssd.total_gib
    most = pool.nodes_at_once * each
    if pool.provisioning.traits.preemptible:
        return _Use(limits.preemptible_local_ssds, few * each, most)
    return _Use(limits.local_ssds, few * each, most, _held(pool, most), _series(pool.machine_type).upper())


def _cluster(cluster: ClusterPlan) -> Iterator[_Use]:
    """The system's nodes, of which an upgrade adds one a zone. The pool that a cluster begins with is gone before."""
    limits, pool = compute_quotas(), cluster.system_pool
    few, nodes = pool.min_nodes_per_zone * ZONES, (pool.max_nodes_per_zone + 1) * ZONES
    cpus = _vcpus(pool.machine_type)
    vcpus = (None, None) if cpus is None else (cpus * few, cpus * nodes)
    series = _series(pool.machine_type)
    unknown = QuotaLimit(what=f"vCPUs of {series.upper()} machines", scope=QuotaScope.REGION, certain=False)
    yield _Use(limits.cpus_of(series) or unknown, *vcpus, family=series.upper())
    yield _Use(limits.cpus_all_regions, *vcpus)
    yield _Use(_disk_limit(pool.disk_type), few * pool.disk_size_gib, nodes * pool.disk_size_gib)
    disks = ZONES * cluster.first_pool.disk_size_gib
    yield _Use(_disk_limit(cluster.first_pool.disk_type), disks, disks)
    yield _Use(limits.instances, few, nodes)
    yield _Use(limits.instance_group_managers, ZONES, ZONES)
    yield _Use(limits.firewalls, limits.cluster_firewalls, limits.cluster_firewalls)


def _networks(settings: Settings, pools: tuple[CountedPool, ...], fabric: FabricPlan | None) -> Iterator[_Use]:
    limits = compute_quotas()
    if settings.network.existing is None and settings.cluster.existing is None:
        for limit in (
            limits.networks,
            limits.subnetworks,
            limits.routers,
            limits.static_addresses,
            limits.in_use_addresses,
        ):
            yield _Use(limit, 1, 1)
    if fabric is None or settings.cluster.provides(Provided.POD_NETWORKS):
        return
    # Google's own accelerator network profile makes as many networks, in the same project.
    facts = next(each.resolved.fabric for each in pools if each.plan.uses_fabric)
    rules = sum(vpc.firewall is not None for vpc in fabric.vpcs)
    yield _Use(limits.networks, len(facts.vpcs), len(facts.vpcs))
    yield _Use(limits.subnetworks, len(facts.networks), len(facts.networks))
    yield _Use(limits.firewalls, rules, rules)


def _sums(uses: Iterable[_Use], region: str) -> Iterator[QuotaNeed]:
    """One need for each limit and family, in the order in which they came up; what is zero is no need."""
    together: dict[tuple[str, str | None], list[_Use]] = {}
    for use in uses:
        family = use.family if use.limit.dimension else None
        together.setdefault((use.limit.what, family), []).append(use)
    for (_, family), same in together.items():
        limit, amount = same[0].limit, _sum(use.amount for use in same)
        if amount == 0:
            continue
        yield QuotaNeed(
            limit=limit,
            region=region if limit.scope is QuotaScope.REGION else None,
            dimensions={limit.dimension: family} if limit.dimension and family else {},
            at_first=_sum(use.at_first for use in same),
            amount=amount,
            held_by_reservations=sum(use.held for use in same),
        )


def _sum(amounts: Iterable[int | None]) -> int | None:
    """The sum; None if one of the amounts is not known."""
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _held(pool: NodePoolPlan, amount: int) -> int:
    """A reservation took its machines out of the limits when it was made."""
    return amount if pool.provisioning is CapacityKind.RESERVATION else 0


def _disk_limit(disk_type: DiskType) -> QuotaLimit:
    limits = compute_quotas()
    match disk_type:
        case DiskType.PD_STANDARD:
            return limits.standard_disks
        case DiskType.PD_BALANCED | DiskType.PD_SSD:
            return limits.ssd
        case DiskType.HYPERDISK_BALANCED:
            return limits.hyperdisks


def _series(machine_type: str) -> str:
    return machine_type.split("-", 1)[0]


def _vcpus(machine_type: str) -> int | None:
    """The vCPUs by the machine type's name, such as e2-standard-4, n2-custom-6-16384 or e2-medium; None: the name does
    not tell."""
    named = re.fullmatch(r"[a-z0-9]+-(?:custom-(\d+)-\d+|[a-z]+-(\d+))(?:-[a-z]+)*", machine_type)
    if named:
        return int(named[1] or named[2])
    return _SMALL_VCPUS if machine_type.rsplit("-", 1)[-1] in ("micro", "small", "medium") else None
