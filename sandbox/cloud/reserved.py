"""How much of a machine the kernel, the file system and GKE reserve, by the formulas of GKE's own autoscaler.

Source: kubernetes/autoscaler, cluster-autoscaler/cloudprovider/gce: gce_reserved.go (commit 0be995de) for what the
kernel and the operating system use on nodes of Container-Optimized OS; reserved.go (commit 729ba955) for what GKE
reserves. Its steps of memory are of 1000 MiB, an error that it repeats on purpose since GKE makes it: a node of 16 GiB
(GKE 1.36.3, 2026-10-08) lacks exactly the resulting 2723 MiB.

Ephemeral storage: plan node sizes, GKE documentation; a boot disk of 100 GiB on that node lacks exactly that.
"""

from math import ceil

KIB, MIB, GIB = 1024, 1024**2, 1024**3

_EVICTION_MEMORY = 100 * MIB
_EVICTION_STORAGE = 0.1
_CPU_STEPS = ((0, 0.06), (1000, 0.01), (2000, 0.005), (4000, 0.0025))
"""Steps of (millicores, share): from so many millicores on, GKE reserves this share of the next ones."""
_MEMORY_STEPS = ((0, 0.25), (4000, 0.2), (8000, 0.1), (16_000, 0.06), (128_000, 0.02))
"""Steps of (MiB, share): from so many MiB on, GKE reserves this share of the next ones."""
_FILE_SYSTEM_KIB = {
    1: 7289472,
    2: 13725224,
    3: 20031312,
    4: 26332924,
    5: 32634536,
    6: 38946604,
    7: 45254008,
    8: 51556096,
    16: 52837800,
    24: 78686620,
}
"""GiB that a file system over so many local SSDs of 375 GiB lacks, as the autoscaler's authors measured."""


def memory_capacity(physical: int, *, arm: bool = False) -> int:
    """The memory, in bytes, that a node reports if its machine has `physical` bytes."""
    kept = physical // 64 + 16 * MIB
    if physical > 3 * GIB:
        kept += 64 * MIB
    if physical <= 8 * GIB:
        kept += 8 * MIB
    kept += int(min(0.00175 * physical, 248 * MIB))
    return physical - (round(kept * 0.9971) if arm else kept)


def reserved_memory(physical: int) -> int:
    """The bytes of a node's memory that GKE and the kubelet's eviction reserve."""
    return int(_steps(physical // MIB, _MEMORY_STEPS)) * MIB + _EVICTION_MEMORY


def reserved_millicores(vcpus: int) -> int:
    return int(_steps(vcpus * 1000, _CPU_STEPS))


def boot_disk_capacity(size: int, *, arm: bool = False) -> int:
    """The bytes of a boot disk that remain beside the operating system's partitions."""
    kept = ceil(0.015635 * size) + ceil(4.148 * GIB) + int(min(100 * MIB, ceil(0.001 * size)))
    return size - kept - (65536 * KIB if arm else 0)


def local_ssd_capacity(size: int, disks: int) -> int:
    """The bytes of one file system over so many local SSDs that have `size` bytes together."""
    measured = min((count for count in _FILE_SYSTEM_KIB if count >= disks), default=max(_FILE_SYSTEM_KIB))
    return size - _FILE_SYSTEM_KIB[measured] * KIB


def allocatable_on_boot_disk(size: int, capacity: int) -> int:
    """The bytes of a boot disk that pods can use. GKE reserves the least of: half of the disk, 6 GiB and 35 %, 100
    GiB."""
    kept = min(size / 2, 6 * GIB + 0.35 * size, 100 * GIB)
    return int(capacity * (1 - _EVICTION_STORAGE) - kept)


def allocatable_on_local_ssds(capacity: int, disks: int) -> int:
    """The bytes of local SSDs that pods can use. GKE reserves 50 GiB with one disk, 75 with two, 100 with more."""
    return int(capacity * (1 - _EVICTION_STORAGE) - {1: 50, 2: 75}.get(disks, 100) * GIB)


def _steps(amount: int, steps: tuple[tuple[int, float], ...]) -> float:
    ends = [start for start, _ in steps[1:]] + [amount]
    return sum(max(0, min(amount, end) - start) * share for (start, share), end in zip(steps, ends, strict=True))
