"""A pod asks for what its server needs, a node holds what is put on it, and too much is refused with what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

from catalog import ACCELERATORS
from catalog.google import google_platform
from config import ConfigurationError, stack_names
from config.validate import validate
from planning.plan import ModelServerPlan, NodePoolPlan, PlatformPlan
from planning.platform import plan_platform
from tests.unit.google_rules import changed, stack_values
from tests.unit.serving import EIGHT_GPUS, GEMMA_27B, L4, ONE_GPU, TWO_NODES, planned, platform

STACKS = stack_names(Path(__file__).parents[2])


def plan(stack: str, **changes: Any) -> PlatformPlan:
    return plan_platform(validate(stack, changed(stack_values(stack), changes), frozenset(), to_deploy=False), stack)


def asked(model: ModelServerPlan) -> tuple[float, float, float]:
    """CPUs, GiB of memory and GiB of disk of one pod with its sidecar."""
    beside = (model.transport.sidecar_cpus, model.transport.sidecar_memory_gib) if model.transport else (0, 0)
    resources = model.resources
    return resources.cpus + beside[0], resources.memory_gib + beside[1], resources.ephemeral_storage_gib


def room(pool: NodePoolPlan) -> tuple[float, float, float]:
    """The same that a node has for model servers."""
    machine = next(
        machine
        for accelerator in ACCELERATORS.values()
        for machine in accelerator.machine_types
        if machine.name == pool.machine_type
    )
    reserved, system = google_platform().reserved, google_platform().system_pods
    ssd = machine.local_ssd.total_gib if pool.local_ssds else 0
    pages = (pool.huge_pages or 0) * 2 / 1024
    return (
        reserved.allocatable_cpu(machine.vcpus) - system.cpus,
        reserved.allocatable_memory_gib(machine.memory_gib) - pages - system.memory_gib,
        reserved.allocatable_ephemeral_gib(pool.boot_disk_size_gib, pool.local_ssds, ssd) - system.disk_gib,
    )


@pytest.mark.parametrize("stack", STACKS)
def test_every_node_of_a_shipped_stack_holds_the_pods_that_are_put_on_it(stack: str) -> None:
    made = plan(stack)
    models = {model.name: model for model in made.models}
    for pool, use in zip(made.node_pools, made.pool_use, strict=True):
        for node in use.used:
            pods = [
                models[name] for name, gpus in node.gpus.items() for _ in range(gpus // models[name].resources.gpus)
            ]
            sums = [sum(each) for each in zip(*map(asked, pods), strict=True)]
            assert all(needed <= there for needed, there in zip(sums, room(pool), strict=True)), (sums, room(pool))


def test_eight_servers_of_one_gpu_fit_a_node_beside_gkes_own_pods() -> None:
    made = planned({**GEMMA_27B, "replicas": 8})
    pool = platform({**GEMMA_27B, "replicas": 8}).node_pools[0]
    assert made.resources.gpus == 1 and pool.gpus_per_node == 8
    assert all(8 * needed <= there for needed, there in zip(asked(made), room(pool), strict=True))


def test_a_server_asks_for_its_weights_once_and_for_its_processes_not_for_a_share_of_the_node() -> None:
    resources = planned(GEMMA_27B).resources
    assert resources.memory_gib == 8 + 2 + resources.weights_gib < 80
    whole = planned(EIGHT_GPUS).resources
    assert whole.memory_gib == 8 * (8 + 2) + whole.weights_gib and whole.cpus == 4 + 8 * 8


def test_what_does_not_fit_beside_the_processes_is_read_again() -> None:
    ministral = {"model": "mistralai/Ministral-3-8B-Instruct-2512", "minContext": 8192}
    made = platform(ministral, pool={**L4, "machineType": "g2-standard-8"})
    small = made.models[0].resources
    assert small.weights_gib < small.memory_gib <= room(made.node_pools[0])[1]
    assert not [warning for warning in made.warnings if "of memory" in warning.text]
    smaller = platform(ministral, pool={**L4, "machineType": "g2-standard-4"})
    assert smaller.models[0].resources.memory_gib < 8 + 2
    (warned,) = [warning.path for warning in smaller.warnings if "of memory" in warning.text]
    assert warned.endswith("nodePools[0].machineType")


def test_a_disk_that_is_too_small_is_refused_with_the_least_that_is_enough() -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan("rtx-pro-6000", **{"nodePools.0.bootDiskSizeGib": 100})
    text = str(caught.value)
    assert "nodePools[0].bootDiskSizeGib" in text
    least = re.search(r"Write at least (\d+)", text)
    assert least
    plan("rtx-pro-6000", **{"nodePools.0.bootDiskSizeGib": int(least[1])})
    with pytest.raises(ConfigurationError, match="bootDiskSizeGib"):
        plan("rtx-pro-6000", **{"nodePools.0.bootDiskSizeGib": int(least[1]) - 10})


@pytest.mark.parametrize("model", [ONE_GPU, EIGHT_GPUS, TWO_NODES])
def test_more_offload_than_a_node_has_is_refused_with_what_it_has(model: dict[str, Any]) -> None:
    def offloading(gib: int) -> dict[str, Any]:
        return {**model, "engine": {"kvOffload": {"sizeGib": gib}}}

    with pytest.raises(ConfigurationError, match=r"kvOffload\.sizeGib") as caught:
        planned(offloading(100_000))
    most = re.search(r"Write at most (\d+)", str(caught.value))
    assert most
    fits = planned(offloading(int(most[1])))
    assert fits.resources.memory_gib > int(most[1]) // fits.shape.nodes
    with pytest.raises(ConfigurationError, match=r"kvOffload\.sizeGib"):
        planned(offloading(int(most[1]) + fits.shape.nodes))


def test_a_spot_server_is_gone_within_googles_notice() -> None:
    spot = plan("h200").models[0].lifecycle
    assert (spot.pre_stop, spot.drain, spot.grace_period) == (5, 8, 15)
    assert spot.worker_pre_stop < spot.grace_period


def test_a_server_that_google_leaves_alone_takes_its_time() -> None:
    lifecycle = plan("a100-80gb").models[0].lifecycle
    assert lifecycle.pre_stop == 15 and lifecycle.drain == 45 and lifecycle.grace_period > 60
