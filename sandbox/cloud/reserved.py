"""What a node's kernel, file system and GKE keep of its machine, by the formulas by which GKE's own autoscaler counts.

Source: kubernetes/autoscaler, cluster-autoscaler/cloudprovider/gce: gce_reserved.go (commit 0be995de) for what kernel
and operating system take of nodes of Container-Optimized OS; reserved.go (commit 729ba955) for what GKE reserves. Its
steps of memory are of 1000 MiB, an error that it repeats knowingly since GKE makes it: a node of 16 GiB (GKE 1.36.3,
2026-10-08) lacks exactly the 2723 MiB that come of it. Of ephemeral storage: plan node sizes, GKE documentation; a
boot disk of 100 GiB on that node lacks exactly that.
"""

from math import ceil

KIB, MIB, GIB = 1024, 1024**2, 1024**3

_EVICTION_MEMORY = 100 * MIB
_EVICTION_STORAGE = 0.1
_CPU_STEPS = ((0, 0.06), (1000, 0.01), (2000, 0.005), (4000, 0.0025))
"""From so many millicores on, the share that is kept of the next."""
_MEMORY_STEPS = ((0, 0.25), (4000, 0.2), (8000, 0.1), (16_000, 0.06), (128_000, 0.02))
"""From so many MiB on, the share that is kept of the next."""
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
"""Measured by the autoscaler's authors: what a file system over so many local SSDs of 375 GiB lacks."""


def memory_capacity(physical: int, *, arm: bool = False) -> int:
    """Bytes that a node of a machine of so many bytes says it has."""
    kept = physical // 64 + 16 * MIB
    if physical > 3 * GIB:
        kept += 64 * MIB
    if physical <= 8 * GIB:
        kept += 8 * MIB
    kept += int(min(0.00175 * physical, 248 * MIB))
    return physical - (round(kept * 0.9971) if arm else kept)


def reserved_memory(physical: int) -> int:
    """Bytes that GKE and the kubelet's eviction keep of a node's capacity."""
    return int(_steps(physical // MIB, _MEMORY_STEPS)) * MIB + _EVICTION_MEMORY


def reserved_millicores(vcpus: int) -> int:
    return int(_steps(vcpus * 1000, _CPU_STEPS))


def boot_disk_capacity(size: int, *, arm: bool = False) -> int:
    """Bytes of a boot disk that are left beside the operating system's partitions."""
    kept = ceil(0.015635 * size) + ceil(4.148 * GIB) + int(min(100 * MIB, ceil(0.001 * size)))
    return size - kept - (65536 * KIB if arm else 0)


def local_ssd_capacity(size: int, disks: int) -> int:
    """Bytes of so many local SSDs, together of that size, as one file system."""
    measured = min((count for count in _FILE_SYSTEM_KIB if count >= disks), default=max(_FILE_SYSTEM_KIB))
    return size - _FILE_SYSTEM_KIB[measured] * KIB


def allocatable_on_boot_disk(size: int, capacity: int) -> int:
    """Bytes of it that pods can have: half of the disk, 6 GiB and 35 %, or 100 GiB are kept, the least of them."""
    kept = min(size / 2, 6 * GIB + 0.35 * size, 100 * GIB)
    return int(capacity * (1 - _EVICTION_STORAGE) - kept)


def allocatable_on_local_ssds(capacity: int, disks: int) -> int:
    """Bytes of them that pods can have: 50, 75 or 100 GiB are kept of one, two or more."""
    return int(capacity * (1 - _EVICTION_STORAGE) - {1: 50, 2: 75}.get(disks, 100) * GIB)


def _steps(amount: int, steps: tuple[tuple[int, float], ...]) -> float:
    ends = [start for start, _ in steps[1:]] + [amount]
    return sum(max(0, min(amount, end) - start) * share for (start, share), end in zip(steps, ends, strict=True))
