"""What pods can have of a node: GKE's own formula in the stand-in, another figure in the catalogue, side by side.

The catalogue's may be lower, never higher: a plan that fits by it fits on GKE's nodes too.
"""

import pytest

from catalog import ACCELERATORS, Accelerator, MachineType
from catalog.google import google_platform
from sandbox.cloud import reserved
from sandbox.cloud.system_pods import system_daemon_set
from sandbox.cloud.tables import Shape, Tables

GIB = 1024**3
MACHINES = [
    pytest.param(accelerator, machine, id=machine.name)
    for accelerator in ACCELERATORS.values()
    for machine in accelerator.machine_types
]
# Capacity and allocatable memory in GiB by the autoscaler's older formula; the one of today keeps up to 248 MiB more.
FIRST_HAND = {
    "a3-ultragpu-8g": (2905.8, 2840.1),
    "a4-highgpu-8g": (3905.9, 3819.9),
    "a3-megagpu-8g": (1842.7, 1798.5),
    "a3-highgpu-8g": (1842.7, 1798.5),
    "a4x-highgpu-4g": (870.1, 845.7),
    "a4x-maxgpu-4g-metal": (944.9, 911.0),
    "g4-standard-48": (177.1, 166.8),
}
HUGE_PAGES = {"a4x-maxgpu-4g-metal": 8.0}
"""GiB that a node of that pool sets aside."""


def stand_in(name: str) -> tuple[Shape, bool]:
    """The stand-in's machine, and whether it is an Arm one."""
    found = Tables().machine(name)
    assert found, name
    return found[1], found[0].arch == "arm64"


def memory(name: str) -> tuple[float, float]:
    """Capacity and allocatable of the stand-in, in GiB."""
    shape, arm = stand_in(name)
    physical = int(shape.memory_gib * GIB)
    capacity = reserved.memory_capacity(physical, arm=arm)
    return capacity / GIB, (capacity - reserved.reserved_memory(physical)) / GIB


@pytest.mark.parametrize("name", FIRST_HAND)
def test_the_stand_ins_nodes_are_as_large_as_gkes_autoscaler_counts(name: str) -> None:
    capacity, allocatable = memory(name)
    wanted = FIRST_HAND[name]
    assert wanted[0] - 0.35 < capacity < wanted[0] + 0.05
    assert wanted[1] - 0.35 < allocatable - HUGE_PAGES.get(name, 0) < wanted[1] + 0.05


def test_the_formula_gives_what_two_real_nodes_had() -> None:
    # Public `kubectl describe node` of an n2-standard-4 with 100 GB of pd-balanced, GKE 1.36.3-gke.1767000, 2026-10-08.
    physical, disk = 16 * GIB, 100 * GIB
    capacity = reserved.memory_capacity(physical)
    assert capacity / 1024 == pytest.approx(16380004, rel=0.002)
    assert reserved.reserved_memory(physical) == (16380004 - 13591652) * 1024
    storage = reserved.boot_disk_capacity(disk)
    assert storage / 1024 == pytest.approx(98831908, rel=0.001)
    assert reserved.allocatable_on_boot_disk(disk, 98831908 * 1024) == pytest.approx(47060071478, rel=1e-6)
    assert 4000 - reserved.reserved_millicores(4) == 3920
    # An a2-highgpu-1g of 85 GiB (openshift/instaslice-operator, pull request 787).
    assert reserved.memory_capacity(85 * GIB) / GIB == pytest.approx(83.46, abs=0.02)


@pytest.mark.parametrize(("accelerator", "machine"), MACHINES)
def test_the_catalogue_never_promises_memory_that_gke_keeps(accelerator: Accelerator, machine: MachineType) -> None:
    capacity, allocatable = memory(machine.name)
    ours = google_platform().reserved
    assert stand_in(machine.name)[0].memory_gib == machine.memory_gib
    assert allocatable * 0.995 < ours.allocatable_memory_gib(machine.memory_gib) < allocatable + 0.01
    # The catalogue's steps are GiB, as documented, and the kernel's part is a line through two small nodes.
    assert capacity * 0.995 < ours.capacity_gib(machine.memory_gib) < capacity + 0.05


@pytest.mark.parametrize(("accelerator", "machine"), MACHINES)
def test_the_catalogue_never_promises_cpus_that_gke_keeps(accelerator: Accelerator, machine: MachineType) -> None:
    kept = reserved.reserved_millicores(machine.vcpus)
    ours = google_platform().reserved.allocatable_cpu(machine.vcpus)
    assert machine.vcpus - kept / 1000 == pytest.approx(ours, abs=0.001)


@pytest.mark.parametrize("size", [50, 100, 200, 300, 1000, 4000])
@pytest.mark.parametrize("arm", [False, True])
def test_the_catalogue_never_promises_boot_disk_that_gke_keeps(size: int, arm: bool) -> None:
    capacity = reserved.boot_disk_capacity(size * GIB, arm=arm)
    theirs = reserved.allocatable_on_boot_disk(size * GIB, capacity) / GIB
    assert theirs * 0.94 < google_platform().reserved.allocatable_ephemeral_gib(size, 0, 0) < theirs


@pytest.mark.parametrize(("accelerator", "machine"), MACHINES)
def test_the_catalogue_never_promises_local_ssd_that_gke_keeps(accelerator: Accelerator, machine: MachineType) -> None:
    disks, total = machine.local_ssd.count, machine.local_ssd.total_gib
    if not disks:
        assert total == 0
        return
    capacity = reserved.local_ssd_capacity(total * GIB, disks)
    theirs = reserved.allocatable_on_local_ssds(capacity, disks) / GIB
    assert theirs * 0.98 < google_platform().reserved.allocatable_ephemeral_gib(100, disks, total) < theirs


def test_gkes_own_pods_ask_for_no_more_than_a_plan_leaves_them() -> None:
    containers = system_daemon_set()["spec"]["template"]["spec"]["containers"]
    requests = [each["resources"]["requests"] for each in containers]
    cpus = sum(int(each["cpu"].removesuffix("m")) for each in requests) / 1000
    gib = sum(int(each["memory"].removesuffix("Mi")) for each in requests) / 1024
    left = google_platform().system_pods
    # What is beside them: our installer of an NCCL plugin, and the daemon of a RoCE network.
    assert cpus + 0.3 <= left.cpus and gib + 1.0 <= left.memory_gib
