"""From a stack's settings to its whole plan: the one public function of this room."""

import re
from functools import cache

from catalog import CHART_RELEASES
from catalog.cold_start import cold_start
from catalog.google import google_platform
from config import NAMESPACE, ConfigurationError, Problem, Settings
from config.cluster import Provided
from config.effect import Effect, effects
from config.settings import NAME_PREFIX
from planning.address_use import plan_addresses
from planning.addresses import AddressRanges
from planning.alerts import plan_alerts
from planning.capacity import offered_pools
from planning.cluster import ClusterNeeds, plan_cluster
from planning.compatibility import check_network_profiles, plan_gke_version
from planning.cost import cost_items
from planning.environment import check_spend, plan_protection, plan_token
from planning.errors import Findings
from planning.fabric import fabric_pools, plan_compute_domains, plan_fabric
from planning.idle import check_idle, plan_idle
from planning.images import check_streaming, plan_mirror, plan_pre_pulls, through
from planning.node_cache import plan_node_caches
from planning.node_pools import begin_with, plan_node_pools
from planning.node_software import plan_daemons, plan_dra_driver, plan_installers
from planning.placement import on_nodes, place
from planning.plan import (
    ClusterPlan,
    CostPlan,
    ImageMirrorPlan,
    LeaderWorkerSetPlan,
    NodePoolPlan,
    PlatformPlan,
    WeightsBucketPlan,
)
from planning.pools import resolve_pools
from planning.quota import CountedPool, plan_quotas
from planning.serving import plan_models
from planning.serving.access import plan_access, plan_priority
from planning.serving.availability import plan_availability
from planning.serving.bucket import plan_bucket, plan_fills
from planning.serving.namespaces import plan_namespaces, preflight_namespace
from planning.serving.preflight import measured_pools, plan_preflights

_CONTROLLERS = 2
"""One serves the webhooks while the other's node is drained or lost."""
_CONTROLLER_PRIORITY = "system-cluster-critical"
"""No group is repaired without it, so nothing else of the system pool may take its place."""


def plan_platform(settings: Settings, stack: str) -> PlatformPlan:
    """What the stack will be. Raises ConfigurationError, with every reason at once, if it cannot be."""
    prefix = _name_prefix(settings, stack)
    findings = Findings()
    ranges = AddressRanges.cut(settings.network.address_block)
    protection, token = plan_protection(settings, findings), plan_token(settings, prefix, findings)
    resolved = resolve_pools(settings, findings)
    offered = offered_pools(resolved, findings)
    pools = plan_node_pools(settings, offered, prefix, findings)
    with_fabric = fabric_pools(resolved, findings)
    fabric = plan_fabric(
        with_fabric, prefix, ranges, pod_networks_exist=settings.cluster.provides(Provided.POD_NETWORKS)
    )
    mirror = plan_mirror(settings, prefix, findings)
    bucket = plan_bucket(settings, prefix, findings)
    needs = ClusterNeeds(
        version=plan_gke_version(settings, resolved, findings),
        multi_networking=bool(fabric and fabric.vpcs),
        shielded_nodes=all(pool.accelerator.nodes.shielded_nodes_allowed for pool in resolved),
        pools=pools,
    )
    check_network_profiles(resolved, findings)
    cluster = plan_cluster(settings, prefix, needs, ranges, findings)
    system = cluster.system_pool if isinstance(cluster, ClusterPlan) else None
    models = through(mirror, plan_models(settings, offered, fabric, needs.version, bucket, findings))
    check_streaming(settings, pools, models, findings)
    pre_pulls = plan_pre_pulls(settings, offered, models, findings)
    node_caches = through(mirror, plan_node_caches(settings, offered, models, findings))
    namespaces = plan_namespaces(
        fabric,
        models,
        collect_metrics=settings.alerts is not None,
        fills_bucket=any(model.weights.bucket for model in models),
    )
    alerts = plan_alerts(settings, cluster.name, [each.name for each in namespaces], findings)
    pool_use = place(settings, pools, models, findings)
    access = plan_access(settings, ranges, findings, asks_google=bucket is not None)
    addresses = plan_addresses(
        ranges if settings.network.existing is None and settings.cluster.existing is None else None,
        system,
        pools,
        None if settings.cluster.provides(Provided.NODE_POOLS) else fabric,
        findings,
    )
    if findings.problems:
        raise ConfigurationError(stack, findings.problems)
    begin = begin_with(pools, pool_use)
    counted = [CountedPool(pool, plan, first.nodes) for pool, plan, first in zip(offered, pools, begin, strict=True)]
    quotas = plan_quotas(settings, cluster, tuple(counted), fabric)
    pools = begin
    models = plan_availability(settings, on_nodes(models, pools), pool_use, findings)
    tests = plan_preflights(settings.preflight, with_fabric, fabric, measured_pools(pools, models), findings)
    preflights = through(mirror, tests)
    cost = CostPlan(
        items=cost_items(settings.region, system, pools, pool_use), idle=plan_idle(settings, pools, pool_use)
    )
    check_spend(settings, cost, findings)
    check_idle(settings, cost.idle, findings)
    if findings.problems:
        raise ConfigurationError(stack, findings.problems)
    installed = settings.cluster.provides(Provided.NCCL_INSTALLER)
    return PlatformPlan(
        name_prefix=prefix,
        region=settings.region,
        services=_services(settings, pools, mirror, bucket),
        labels=settings.labels,
        protection=protection,
        alerts=alerts,
        image_mirror=mirror,
        weights_bucket=bucket,
        bucket_fills=plan_fills(bucket, models),
        cluster=cluster,
        fabric=fabric,
        node_pools=pools,
        gpu_nodes_keep_version=not settings.cluster.maintenance.upgrade_gpu_nodes,
        nccl_installers=() if installed else through(mirror, plan_installers(with_fabric, pools)),
        node_daemons=() if installed else through(mirror, plan_daemons(with_fabric, pools)),
        node_caches=node_caches,
        pre_pulls=pre_pulls,
        dra_driver=plan_dra_driver(settings, resolved),
        compute_domains=plan_compute_domains(fabric, pools, models, preflights),
        namespaces=namespaces,
        preflight_namespace=preflight_namespace(preflights),
        access=access,
        priority_class=plan_priority(),
        token=token,
        leader_worker_set=_leader_worker_set(settings),
        preflights=preflights,
        models=models,
        pool_use=pool_use,
        addresses=addresses,
        quotas=quotas,
        cost=cost,
        effects=wide_effects(),
        warnings=tuple(findings.warnings),
    )


@cache
def wide_effects() -> dict[str, str]:
    """The fields whose change replaces more than it changes, by their path."""
    return {path: effect.value for path, effect in effects(Settings).items() if effect is not Effect.IN_PLACE}


def _name_prefix(settings: Settings, stack: str) -> str:
    """Google wants names that start with a letter, and a stack may be called anything."""
    prefix = settings.name_prefix or stack
    if not re.fullmatch(NAME_PREFIX, prefix):
        problem = Problem(
            f"{NAMESPACE}:namePrefix",
            f"is not set, and the stack's name {stack!r} cannot begin the names of Google's resources",
            "Write namePrefix: up to 16 lower-case letters, digits and hyphens, starting with a letter",
        )
        raise ConfigurationError(stack, [problem])
    return prefix


def _services(
    settings: Settings,
    pools: tuple[NodePoolPlan, ...],
    mirror: ImageMirrorPlan | None,
    bucket: WeightsBucketPlan | None,
) -> tuple[str, ...]:
    google = google_platform()
    streaming = any(pool.image_streaming for pool in pools)
    secrets = settings.token is not None or settings.cluster.secret_manager
    return (
        *google.services,
        *([google.image_streaming.service] if streaming else []),
        *([google.secret_manager_service] if secrets else []),
        *([google.image_mirror.service] if mirror and not mirror.exists else []),
        *([cold_start().bucket.service] if bucket else []),
    )


def _leader_worker_set(settings: Settings) -> LeaderWorkerSetPlan:
    release = CHART_RELEASES["lws"]
    (controller,) = release.images
    return LeaderWorkerSetPlan(
        name=release.name,
        namespace=release.namespace,
        chart=settings.leader_worker_set.chart or release.reference,
        version=release.version,
        controller_tag=controller.reference.removeprefix(f"{controller.repository}:"),
        replicas=_CONTROLLERS,
        priority_class=_CONTROLLER_PRIORITY,
    )
