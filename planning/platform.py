"""From a stack's settings to its whole plan: the one public function of this room."""

import re

from catalog import CHART_RELEASES, PINS
from catalog.google import google_platform
from config import NAMESPACE, ConfigurationError, Problem, Settings
from config.settings import NAME_PREFIX
from planning.address_use import plan_addresses
from planning.addresses import AddressRanges
from planning.compatibility import check_network_profiles, plan_gke_version
from planning.cost import plan_cost
from planning.errors import Findings
from planning.fabric import plan_fabric
from planning.node_pools import plan_node_pools
from planning.placement import place
from planning.plan import (
    ClusterNetworkPlan,
    ClusterPlan,
    LeaderWorkerSetPlan,
    NodeIdentityPlan,
    PlatformPlan,
    SubnetworkPlan,
    SystemPoolPlan,
)
from planning.quota import plan_quotas
from planning.serving import plan_models

SERVING_NAMESPACE = "serving"
TOKEN_SECRET = "hugging-face-token"


def plan_platform(settings: Settings, stack: str) -> PlatformPlan:
    """What the stack will be. Raises ConfigurationError, with every reason at once, if it cannot be."""
    prefix = _name_prefix(settings, stack)
    findings = Findings()
    ranges = AddressRanges.cut(settings.network.address_block)
    pools = plan_node_pools(settings, findings)
    fabric, installers = plan_fabric(settings, prefix, ranges, findings)
    version = plan_gke_version(settings, findings)
    check_network_profiles(settings, findings)
    cluster = _cluster(settings, prefix, version, multi_networking=fabric is not None)
    models = plan_models(settings, pools, SERVING_NAMESPACE, version, findings)
    pool_use = place(settings, pools, models, findings)
    addresses = plan_addresses(ranges, cluster.system_pool, pools, fabric, findings)
    if findings.problems:
        raise ConfigurationError(stack, findings.problems)
    return PlatformPlan(
        name_prefix=prefix,
        region=settings.region,
        services=google_platform().services,
        network=_network(prefix, ranges),
        cluster=cluster,
        fabric=fabric,
        node_pools=pools,
        nccl_installers=installers,
        serving_namespace=SERVING_NAMESPACE,
        token_secret=TOKEN_SECRET,
        leader_worker_set=_leader_worker_set(settings),
        models=models,
        pool_use=pool_use,
        addresses=addresses,
        quotas=plan_quotas(settings, pools),
        cost=plan_cost(settings.region, cluster.system_pool, pools),
        warnings=tuple(findings.warnings),
    )


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


def _network(prefix: str, ranges: AddressRanges) -> ClusterNetworkPlan:
    return ClusterNetworkPlan(
        vpc=f"{prefix}-cluster",
        mtu=google_platform().vpc_mtu,
        subnetwork=SubnetworkPlan(name=f"{prefix}-nodes", cidr=str(ranges.nodes)),
        pods=SubnetworkPlan(name="pods", cidr=str(ranges.pods)),
        services=SubnetworkPlan(name="services", cidr=str(ranges.services)),
        router=f"{prefix}-router",
        nat=f"{prefix}-nat",
    )


def _cluster(settings: Settings, prefix: str, version: str | None, *, multi_networking: bool) -> ClusterPlan:
    google, wanted = google_platform(), settings.cluster.system_pool
    return ClusterPlan(
        name=f"{prefix}-cluster",
        location=settings.region,
        release_channel=settings.cluster.release_channel.value.upper(),
        version=version,
        multi_networking=multi_networking,
        node_identity=NodeIdentityPlan(account_id=f"{prefix}-nodes", roles=google.node_roles),
        system_pool=SystemPoolPlan(
            name="system",
            machine_type=wanted.machine_type or google.system_pool.machine_type,
            disk_type=google.system_pool.disk_type,
            disk_size_gib=google.system_pool.disk_size_gib,
            min_nodes_per_zone=wanted.min_nodes_per_zone,
            max_nodes_per_zone=wanted.max_nodes_per_zone,
        ),
    )


def _leader_worker_set(settings: Settings) -> LeaderWorkerSetPlan:
    release = CHART_RELEASES[f"lws-{PINS.lws}"]
    chart = settings.leader_worker_set.chart or release.reference
    if chart is None:
        raise ValueError(f"the catalogue names no chart for LeaderWorkerSet {release.version}")
    return LeaderWorkerSetPlan(
        name=release.name,
        namespace=release.namespace,
        chart=chart,
        version=release.version,
        controller_tag=f"v{release.version}",
    )
