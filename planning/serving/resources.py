"""Decides what a pod asks of its node: what its server needs, and never more than its share of what pods can have."""

from dataclasses import dataclass
from math import ceil, floor

from catalog import Model
from catalog.cold_start import WeightSource
from catalog.google import google_platform
from config.models import ModelSettings
from config.weights import NodeCacheWeights
from planning.errors import Findings
from planning.load_time import checkpoint_gib
from planning.plan import PodResourcesPlan, PodTransportPlan
from planning.pools import ResolvedPool
from planning.shape import ShapePlan

_CPUS = 4
"""The CPUs for a server's front end and its engine; llm-d asks for 32 in all where a pod has eight GPUs
(2026-09-30)."""
_CPUS_PER_GPU = 8
"""A worker's own, and its part in compiling and in reading weights."""
KERNELS_GIB = 6
"""Compiled kernels and CUDA graphs of one server, generously: measured caches are below 1 GiB."""
_TEMPORARY_GIB = 4
_LOG_GIB = 1
_WEIGHTS_MARGIN = 1.05
"""Beside the weights lie tokenizer, configuration and what the hub's client has half fetched."""
_SHARED_MEMORY_GIB = 2
"""The GiB of /dev/shm for each GPU; the default of 64 MiB ends tensor parallel servers."""
_PROCESS_MEMORY_GIB = 8
"""The GiB for each GPU's process and its share of the server's own, besides /dev/shm and offloaded blocks."""
_LEAST_PROCESS_GIB = 5
"""The least of the same where the machine has no more; whether it is enough was not measured."""
_STREAM_GIB = 38
"""The GiB of memory through which one process streams weights from a bucket, or all of them if they are less
(runai-model-streamer 0.15.7, requests_iterator.py: 40 GB). Several share one checkpoint's size."""
_DISK_STEP_GIB = 10
_LARGEST_DISK_GIB = 65536


@dataclass(frozen=True)
class _Share:
    """A pod's share of what pods may use of one node: as large as its share of the GPUs, so that every GPU's pod has
    room."""

    cpus: int
    memory_gib: int
    disk_gib: int


@dataclass(frozen=True)
class PlacedModel:
    """A model of the stack file and the pool that it runs on."""

    settings: ModelSettings
    checkpoint: Model
    pool: ResolvedPool
    path: str
    """Its key in the stack file, such as `models[0]`."""


def plan_resources(
    placed: PlacedModel,
    shape: ShapePlan,
    transport: PodTransportPlan | None,
    source: WeightSource,
    findings: Findings,
) -> PodResourcesPlan:
    """Refuses what a node has no room for, with the key and the amount that is possible."""
    wanted, pool = placed.settings, placed.pool
    part = 1.0 if shape.nodes > 1 else shape.gpus_per_node / pool.machine.gpus
    share = _share(pool, part, pool.settings.boot_disk_size_gib, transport)
    weights = _weights_gib(placed)
    disk = weights + KERNELS_GIB + _TEMPORARY_GIB + _LOG_GIB
    needed = disk - weights if source is WeightSource.BUCKET else disk
    if needed > share.disk_gib:
        _refuse_disk(placed, needed, share.disk_gib, _least_disk(pool, part, needed), findings)
    shared = _SHARED_MEMORY_GIB * shape.gpus_per_node
    offload = ceil(wanted.engine.kv_offload.size_gib / shape.nodes) if wanted.engine.kv_offload else 0
    least, processes = (each * shape.gpus_per_node + shared for each in (_LEAST_PROCESS_GIB, _PROCESS_MEMORY_GIB))
    held = processes if offload else least
    if held + offload > share.memory_gib:
        room = share.memory_gib - held
        if offload and room >= 0:
            _refuse_offload(placed, offload, room, shape.nodes, findings)
        else:
            _refuse_memory(placed, held + offload, share.memory_gib, findings)
    elif processes > share.memory_gib:
        findings.warn(
            f"{pool.path}.machineType",
            f"{wanted.name} gets {share.memory_gib} GiB of memory, and {processes} are what it is given elsewhere",
        )
    if source is WeightSource.BUCKET:
        _check_stream(placed, least + offload + min(weights, _STREAM_GIB), share.memory_gib, findings)
    # Ranks read the same files, each its slices: kept in the page cache, a file is read from disk once. What does not
    # fit is only read again.
    memory = max(1, min(processes + offload + weights, share.memory_gib))
    return PodResourcesPlan(
        gpus=shape.gpus_per_node,
        cpus=max(1, min(_CPUS + _CPUS_PER_GPU * shape.gpus_per_node, share.cpus)),
        memory_gib=memory,
        shared_memory_gib=shared,
        # What is on the node already is no pod's own.
        ephemeral_storage_gib=disk if source is WeightSource.HUB else disk - weights,
        weights_gib=weights,
        kernels_gib=KERNELS_GIB,
        temporary_gib=_TEMPORARY_GIB,
    )


def _check_stream(placed: PlacedModel, needed: int, share: int, findings: Findings) -> None:
    if needed > share:
        findings.refuse(
            f"{placed.path}.weights.kind",
            f"bucket needs {needed} GiB of memory for {placed.settings.name}, whose weights are streamed through it, "
            f"and its share of a node is {share} GiB",
            "Write hub",
        )


def _weights_gib(placed: PlacedModel) -> int:
    """GiB of all files that a server reads, or as the stack file says."""
    wanted = placed.settings
    if isinstance(wanted.weights, NodeCacheWeights) and wanted.weights.size_gib is not None:
        return wanted.weights.size_gib
    return ceil((checkpoint_gib(placed.checkpoint) + _adapters_gib(wanted) + _draft_gib(wanted)) * _WEIGHTS_MARGIN)


def pods_disk_gib(pool: ResolvedPool) -> int:
    """GiB of ephemeral storage that all pods of a node can have together."""
    return _share(pool, 1.0, pool.settings.boot_disk_size_gib, None).disk_gib


def _share(pool: ResolvedPool, part: float, boot_disk_gib: int, transport: PodTransportPlan | None) -> _Share:
    """What a pod with this part of the node's GPUs can have, its sidecar's taken off."""
    google, machine = google_platform(), pool.machine
    reserved, system = google.reserved, google.system_pods
    disk = reserved.allocatable_ephemeral_gib(
        boot_disk_gib, pool.local_ssds, machine.local_ssd.total_gib if pool.local_ssds else 0
    )
    # The kubelet takes pages that are set aside out of the memory that pods can have.
    memory = reserved.allocatable_memory_gib(machine.memory_gib) - (pool.accelerator.nodes.huge_pages or 0) * 2 / 1024
    beside_cpus, beside_gib = (transport.sidecar_cpus, transport.sidecar_memory_gib) if transport else (0, 0)
    return _Share(
        cpus=floor((reserved.allocatable_cpu(machine.vcpus) - system.cpus) * part) - beside_cpus,
        memory_gib=floor((memory - system.memory_gib) * part) - beside_gib,
        disk_gib=max(0, floor((disk - system.disk_gib) * part)),
    )


def _least_disk(pool: ResolvedPool, part: float, needed: int) -> int | None:
    """GiB of the smallest boot disk whose share is enough; None: the disk is not the boot disk, or there is none."""
    if pool.local_ssds:
        return None
    sizes = range(pool.settings.boot_disk_size_gib, _LARGEST_DISK_GIB, _DISK_STEP_GIB)
    return next((size for size in sizes if _share(pool, part, size, None).disk_gib >= needed), None)


def _refuse_disk(placed: PlacedModel, needed: int, share: int, enough: int | None, findings: Findings) -> None:
    pool_path = placed.pool.path
    what = f"{placed.settings.name} needs {needed} GiB of disk for its weights, and its share of a node is {share} GiB"
    if enough is None:
        findings.refuse(f"{pool_path}.machineType", what, "Write a machine with more local SSD for each GPU")
    else:
        findings.refuse(f"{pool_path}.bootDiskSizeGib", what, f"Write at least {enough}")


def _refuse_offload(placed: PlacedModel, offload: int, room: int, nodes: int, findings: Findings) -> None:
    findings.refuse(
        f"{placed.path}.engine.kvOffload.sizeGib",
        f"{offload} GiB a pod are more than the {room} GiB that its share of a node leaves",
        f"Write at most {room * nodes}" if room else "Leave kvOffload out",
    )


def _refuse_memory(placed: PlacedModel, needed: int, share: int, findings: Findings) -> None:
    findings.refuse(
        f"{placed.pool.path}.machineType",
        f"{placed.settings.name} needs {needed} GiB of memory, and its share of a node is {max(0, share)} GiB",
        "Write a machine with more memory for each GPU",
    )


def _adapters_gib(wanted: ModelSettings) -> float:
    """An adapter of rank 64 for a model of 70 billion weights is below 2 GiB."""
    return 2.0 * len(wanted.engine.lora.adapters) if wanted.engine.lora else 0.0


def _draft_gib(wanted: ModelSettings) -> float:
    speculative = wanted.engine.speculative
    return (speculative.model_gib or 0.0) if speculative else 0.0
