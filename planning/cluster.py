"""Decides what the cluster is like: one of the stack's own, or somebody else's that it joins."""

from catalog import ACCELERATORS
from catalog.google import google_platform
from config.cluster import ExistingClusterSettings, MaintenanceSettings, Provided, SystemPoolSettings
from config.settings import Settings
from planning.address_use import addresses_needed
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.network import plan_network
from planning.plan import (
    AuthorizedNetworkPlan,
    ClusterNetworkPlan,
    ClusterPlan,
    ExistingClusterPlan,
    ExistingNetworkPlan,
    ExistingSystemPool,
    FirstPoolPlan,
    MaintenanceExclusionPlan,
    MaintenanceWindowPlan,
    NodeIdentityPlan,
    NodePoolPlan,
    SystemPoolPlan,
)

ANY_TIME = MaintenanceWindowPlan(start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", recurrence="FREQ=DAILY")
"""All day, every day: what no window means, written out. The provider takes no exclusion without a window, and sends a
policy that is taken out whole with the exclusions that Google has, so those would stay. Its own tests at Google have
windows of 24 hours (terraform-provider-google, resource_container_cluster_test.go, withExclusion; read 2026-11-28)."""

_SCOPES = {
    "noUpgrades": "NO_UPGRADES",
    "noMinorUpgrades": "NO_MINOR_UPGRADES",
    "noMinorOrNodeUpgrades": "NO_MINOR_OR_NODE_UPGRADES",
}


def plan_cluster(
    settings: Settings,
    prefix: str,
    version: str | None,
    ranges: AddressRanges,
    pools: tuple[NodePoolPlan, ...],
    findings: Findings,
    *,
    multi_networking: bool,
) -> ClusterPlan | ExistingClusterPlan:
    identity = NodeIdentityPlan(account_id=f"{prefix}-nodes", roles=google_platform().node_roles)
    existing = settings.cluster.existing
    if existing:
        _check_project(existing, settings.project, findings)
        return _existing(existing, settings, identity, multi_networking=multi_networking)
    system_pool = _system_pool(settings.cluster.system_pool)
    nodes, pods = addresses_needed(system_pool, pools)
    network = plan_network(settings, prefix, ranges, nodes_needed=nodes, pod_addresses_needed=pods)
    return _own(settings, prefix, version, identity, network, system_pool, multi_networking=multi_networking)


def _check_project(existing: ExistingClusterSettings, project: str | None, findings: Findings) -> None:
    if existing.project in (None, project) or Provided.NODE_POOLS in existing.provides:
        return
    findings.refuse(
        "cluster.existing.project",
        f"node pools and their networks are their cluster's project's, and {existing.project} is not this stack's",
        f"Write project: {existing.project}, or provides: [nodePools] for pools that are there",
    )


def _existing(
    existing: ExistingClusterSettings, settings: Settings, identity: NodeIdentityPlan, *, multi_networking: bool
) -> ExistingClusterPlan:
    return ExistingClusterPlan(
        project=existing.project,
        name=existing.name,
        location=existing.location or settings.region,
        version=settings.cluster.version,
        multi_networking=multi_networking,
        secret_manager=settings.token is not None,
        managed_prometheus=settings.alerts is not None,
        system_pool=ExistingSystemPool(name=existing.system_pool),
        node_identity=None if Provided.NODE_POOLS in existing.provides else identity,
    )


def _system_pool(wanted: SystemPoolSettings) -> SystemPoolPlan:
    usual = google_platform().system_pool
    return SystemPoolPlan(
        name="system",
        machine_type=wanted.machine_type or usual.machine_type,
        disk_type=usual.disk_type,
        disk_size_gib=usual.disk_size_gib,
        min_nodes_per_zone=wanted.min_nodes_per_zone,
        max_nodes_per_zone=wanted.max_nodes_per_zone,
    )


def _own(
    settings: Settings,
    prefix: str,
    version: str | None,
    identity: NodeIdentityPlan,
    network: ClusterNetworkPlan | ExistingNetworkPlan,
    system_pool: SystemPoolPlan,
    *,
    multi_networking: bool,
) -> ClusterPlan:
    google, wanted = google_platform(), settings.cluster
    return ClusterPlan(
        name=f"{prefix}-cluster",
        location=settings.region,
        network=network,
        release_channel=wanted.release_channel.value.upper(),
        version=version,
        multi_networking=multi_networking,
        # One setting for all nodes, and bare metal machines have no shielded ones.
        shielded_nodes=all(ACCELERATORS[pool.accelerator].nodes.shielded_nodes_allowed for pool in settings.node_pools),
        node_identity=identity,
        first_pool=FirstPoolPlan(
            machine_type=google.first_pool.machine_type,
            disk_type=google.first_pool.disk_type,
            disk_size_gib=google.first_pool.disk_size_gib,
        ),
        system_pool=system_pool,
        maintenance_window=_window(wanted.maintenance),
        maintenance_exclusions=_exclusions(wanted.maintenance),
        authorized_networks=tuple(
            AuthorizedNetworkPlan(name=each.name, cidr=str(each.cidr)) for each in wanted.authorized_networks
        ),
        monitoring_components=google.monitoring.components
        + (google.monitoring.prometheus_components if wanted.managed_prometheus else ()),
        managed_prometheus=wanted.managed_prometheus,
        dataplane_observability=wanted.dataplane_observability,
        gateway_channel="CHANNEL_STANDARD" if wanted.gateway_api else "CHANNEL_DISABLED",
        gcs_fuse=wanted.gcs_fuse,
        secret_manager=wanted.secret_manager or settings.token is not None,
        cost_allocation=wanted.cost_allocation,
        security_posture=wanted.security_posture.value.upper(),
    )


def _window(maintenance: MaintenanceSettings) -> MaintenanceWindowPlan:
    window = maintenance.window
    if window is None:
        return ANY_TIME
    return MaintenanceWindowPlan(start=window.start, end=window.end, recurrence=window.recurrence)


def _exclusions(maintenance: MaintenanceSettings) -> tuple[MaintenanceExclusionPlan, ...]:
    return tuple(
        MaintenanceExclusionPlan(name=each.name, start=each.start, end=each.end, scope=_SCOPES[each.scope.value])
        for each in maintenance.exclusions
    )
