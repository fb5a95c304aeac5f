"""Every limit of the project that a stack comes up against is named before it does, with what the stack takes of it."""

import json
from pathlib import Path
from typing import Any

import googleapiclient
import pytest

from catalog.quotas import ComputeQuotas, QuotaLimit, compute_quotas
from config.validate import validate
from planning.plan import PlatformPlan, QuotaNeed
from planning.platform import plan_platform
from tests.unit.google_rules import changed, stack_values

FRESH_SSD_GB = 500
"""The limit SSD_TOTAL_GB of a fresh project, in GB."""
FRESH_CPUS = 24
RESERVED = {"kind": "reservation", "name": "mine"}


def plan(stack: str, **changes: Any) -> PlatformPlan:
    """A shipped stack with keys changed; those of its first pool are spelled pool_KEY."""
    paths = {
        key.replace("pool_", "nodePools.0.").replace("system_", "cluster.systemPool."): changes[key] for key in changes
    }
    values = changed(stack_values(stack), paths)
    return plan_platform(validate(stack, values, frozenset(), to_deploy=False), stack)


def needs(stack: str, **changes: Any) -> dict[str | None, QuotaNeed]:
    """By metric."""
    return {need.limit.metric: need for need in plan(stack, **changes).quotas}


def amounts(stack: str, **changes: Any) -> dict[str | None, tuple[int | None, int | None]]:
    return {metric: (need.at_first, need.amount) for metric, need in needs(stack, **changes).items()}


def test_two_nodes_of_h200_need_more_than_gpus() -> None:
    found = amounts("h200", pool_nodes=2, pool_capacity={"kind": "spot"})
    assert found["PREEMPTIBLE_NVIDIA_H200_GPUS"] == found["GPUS_ALL_REGIONS"] == (16, 16)
    assert found["PREEMPTIBLE_LOCAL_SSD_GB"] == (24_000, 24_000)
    assert found["HDB_TOTAL_GB"] == (400, 400)
    # The cluster's and two of the fabric; its own subnetwork, one of gVNIC and eight of RDMA.
    assert found["NETWORKS"] == (3, 3) and found["SUBNETWORKS"] == (10, 10)
    assert found["ROUTERS"] == found["STATIC_ADDRESSES"] == found["IN_USE_ADDRESSES"] == (1, 1)
    assert found["INSTANCES"] == (2 + 3, 2 + 12) and found["CPUS"] == (3 * 4, 12 * 4)


def test_a_fresh_projects_disks_and_cpus_are_enough_for_the_cheapest_stack() -> None:
    found = amounts("dev")
    for first, most in (found["SSD_TOTAL_GB"], found["CPUS"]):
        assert first is not None and most is not None and first < most
    assert (found["SSD_TOTAL_GB"][1] or 0) <= FRESH_SSD_GB and (found["CPUS"][1] or 0) <= FRESH_CPUS


def test_the_pool_that_a_cluster_is_made_with_takes_nothing_of_the_ssd_limit() -> None:
    made = plan("dev")
    found = {need.limit.metric: need for need in made.quotas}
    assert found["DISKS_TOTAL_GB"].amount == 3 * 30
    assert (found["SSD_TOTAL_GB"].at_first or 0) == 3 * 50 + made.node_pools[0].boot_disk_size_gib


def test_what_a_reservation_holds_is_told_apart() -> None:
    found = needs("h200", pool_nodes=2, pool_capacity=RESERVED)
    gpus = found["NVIDIA_H200_GPUS"]
    assert (gpus.amount, gpus.held_by_reservations) == (16, 16)
    assert gpus.dimensions == {"gpu_family": "NVIDIA_H200"}
    assert found["INSTANCES"].held_by_reservations == 2 and found["HDB_TOTAL_GB"].held_by_reservations == 0
    ssds = next(
        need for need in plan("h200", pool_nodes=2, pool_capacity=RESERVED).quotas if "local SSD" in need.limit.what
    )
    assert ssds.dimensions == {"vm_family": "A3"} and (ssds.amount, ssds.held_by_reservations) == (24_000, 24_000)


def test_a_reservation_that_has_not_begun_takes_nothing_at_first() -> None:
    gpus = needs("h200", pool_nodes=2, pool_capacity={**RESERVED, "active": False})["NVIDIA_H200_GPUS"]
    assert (gpus.at_first, gpus.amount) == (0, 16)


def test_what_an_upgrade_adds_counts() -> None:
    found = amounts("l4", pool_nodes={"min": 1, "max": 3}, pool_surge={"maxSurge": 1, "maxUnavailable": 0})
    assert found["NVIDIA_L4_GPUS"] == (1, 4)


@pytest.mark.parametrize(
    ("machine", "metric", "quota_id", "family", "vcpus"),
    [
        ("e2-standard-8", "CPUS", "CPUS-per-project-region", {}, 8),
        ("e2-medium", "CPUS", "CPUS-per-project-region", {}, 2),
        ("n2-custom-6-16384", "N2_CPUS", "N2-CPUS-per-project-region", {}, 6),
        ("n4-standard-4", None, "CPUS-PER-VM-FAMILY-per-project-region", {"vm_family": "N4"}, 4),
        ("c3-standard-8-lssd", None, "CPUS-PER-VM-FAMILY-per-project-region", {"vm_family": "C3"}, 8),
        ("x9-standard-4", None, None, {}, 4),
    ],
)
def test_the_systems_machines_count_against_the_limit_of_their_series(
    machine: str, metric: str | None, quota_id: str | None, family: dict[str, str], vcpus: int
) -> None:
    found = plan("dev", system_machineType=machine, system_maxNodesPerZone=1).quotas
    (need,) = [need for need in found if need.limit.what.startswith("vCPUs of")]
    assert (need.limit.metric, need.limit.quota_id, need.dimensions) == (metric, quota_id, family)
    assert (need.at_first, need.amount) == (3 * vcpus, 6 * vcpus)
    assert need.limit.certain is (quota_id is not None)


def test_gpu_machines_take_nothing_of_the_limits_on_cpus() -> None:
    assert amounts("h200", pool_nodes=2)["CPUS"] == amounts("h200", pool_nodes=3)["CPUS"]


def test_a_joined_clusters_own_parts_are_not_asked_for() -> None:
    existing = {"name": "theirs", "systemPool": "default"}
    joined = {need.limit.metric for need in plan("h200", **{"cluster": {"existing": existing}}).quotas}
    assert not joined & {"CPUS", "ROUTERS", "STATIC_ADDRESSES", "SSD_TOTAL_GB"}
    assert {"PREEMPTIBLE_NVIDIA_H200_GPUS", "HDB_TOTAL_GB", "NETWORKS"} <= joined


def test_pools_that_are_there_already_need_nothing() -> None:
    existing = {"name": "theirs", "systemPool": "default", "provides": ["nodePools", "podNetworks", "ncclInstaller"]}
    assert plan("h200", **{"cluster": {"existing": existing}}).quotas == ()


@pytest.mark.parametrize("stack", ["dev", "h200", "h100", "b200", "gb200", "gb300", "rtx-pro-6000", "production"])
def test_each_need_has_a_name_of_google_or_says_that_it_is_not_certain(stack: str) -> None:
    found = plan(stack).quotas
    assert all(
        need.limit.metric or need.limit.quota_id or need.limit.quota_metric or not need.limit.certain for need in found
    )
    assert all((need.region is None) == (need.limit.scope == "project") for need in found)
    keys = [(need.limit.what, tuple(need.dimensions.items())) for need in found]
    assert len(keys) == len(set(keys))


def test_no_two_series_share_a_row_of_the_limits_on_cpus() -> None:
    series = [name for row in compute_quotas().cpus for name in row.series]
    assert len(series) == len(set(series))


def test_compute_engine_knows_each_metric() -> None:
    description = Path(googleapiclient.__file__).parent / "discovery_cache/documents/compute.v1.json"
    known = set(json.loads(description.read_text())["schemas"]["Quota"]["properties"]["metric"]["enum"])
    limits = [getattr(compute_quotas(), name) for name in ComputeQuotas.model_fields]
    limits += [row.limit for row in compute_quotas().cpus]
    metrics = {limit.metric for limit in limits if isinstance(limit, QuotaLimit) and limit.metric}
    assert len(metrics) > 15 and metrics <= known
