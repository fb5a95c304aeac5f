"""Decides what the cluster is like: one of the stack's own, or somebody else's that it joins."""

from dataclasses import dataclass

from catalog.google import google_platform
from config.cluster import ExistingClusterSettings, MaintenanceWindow, Provided, SystemPoolSettings
from config.settings import Settings
from planning.address_use import addresses_needed
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.network import plan_network
from planning.plan import (
    ClusterPlan,
    ExistingClusterPlan,
    ExistingSystemPool,
    NodeIdentityPlan,
    NodePoolPlan,
    SystemPoolPlan,
)

ANY_TIME = MaintenanceWindow(start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", recurrence="FREQ=DAILY")
"""All day, every day: what no window means, written out. The provider takes no exclusion without a window, and sends a
policy that is taken out whole with the exclusions that Google has, so those would stay. Its own tests at Google have
windows of 24 hours (terraform-provider-google, resource_container_cluster_test.go, withExclusion; read 2026-11-28)."""


@dataclass(frozen=True)
class ClusterNeeds:
    """What a stack's node pools ask of the cluster that they are in."""

    version: str | None
    """GKE version or the minor of it; None: the channel's own."""
    multi_networking: bool
    shielded_nodes: bool
    """One setting for all nodes, and bare metal machines have no shielded ones."""
    pools: tuple[NodePoolPlan, ...]
    """The pools whose nodes and pods it must have addresses for."""


def plan_cluster(
    settings: Settings, prefix: str, needs: ClusterNeeds, ranges: AddressRanges, findings: Findings
) -> ClusterPlan | ExistingClusterPlan:
    google = google_platform()
    streams = any(pool.image_streaming for pool in needs.pools)
    identity = NodeIdentityPlan(
        account_id=f"{prefix}-nodes",
        roles=google.node_roles + (google.image_streaming.node_roles if streams else ()),
    )
    existing = settings.cluster.existing
    if existing:
        _check_project(existing, settings.project, findings)
        return _existing(existing, settings, needs, identity)
    system_pool = _system_pool(settings.cluster.system_pool)
    nodes, pods = addresses_needed(system_pool, needs.pools)
    network = plan_network(settings, prefix, ranges, nodes_needed=nodes, pod_addresses_needed=pods)
    wanted = settings.cluster
    return ClusterPlan(
        name=f"{prefix}-cluster",
        location=settings.region,
        network=network,
        release_channel=wanted.release_channel,
        version=needs.version,
        multi_networking=needs.multi_networking,
        shielded_nodes=needs.shielded_nodes,
        node_identity=identity,
        first_pool=google.first_pool,
        system_pool=system_pool,
        maintenance_window=wanted.maintenance.window or ANY_TIME,
        maintenance_exclusions=wanted.maintenance.exclusions,
        authorized_networks=wanted.authorized_networks,
        monitoring_components=google.monitoring.components
        + (google.monitoring.prometheus_components if wanted.managed_prometheus else ()),
        managed_prometheus=wanted.managed_prometheus,
        dataplane_observability=wanted.dataplane_observability,
        gateway_channel="CHANNEL_STANDARD" if wanted.gateway_api else "CHANNEL_DISABLED",
        gcs_fuse=wanted.gcs_fuse,
        secret_manager=wanted.secret_manager or settings.token is not None,
        cost_allocation=wanted.cost_allocation,
        security_posture=wanted.security_posture,
    )


def _check_project(existing: ExistingClusterSettings, project: str | None, findings: Findings) -> None:
    if existing.project in (None, project) or Provided.NODE_POOLS in existing.provides:
        return
    findings.refuse(
        "cluster.existing.project",
        f"node pools and their networks are their cluster's project's, and {existing.project} is not this stack's",
        f"Write project: {existing.project}, or provides: [nodePools] for pools that are there",
    )


def _existing(
    existing: ExistingClusterSettings, settings: Settings, needs: ClusterNeeds, identity: NodeIdentityPlan
) -> ExistingClusterPlan:
    return ExistingClusterPlan(
        project=existing.project,
        name=existing.name,
        location=existing.location or settings.region,
        version=settings.cluster.version,
        multi_networking=needs.multi_networking,
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
