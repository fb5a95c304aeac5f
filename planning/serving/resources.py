"""Decides what a pod asks of its node: a share of everything as large as its share of the GPUs."""

from math import ceil, floor

from catalog import MachineType, Model
from catalog.google import google_platform
from config.models import ModelSettings
from planning.errors import Findings
from planning.load_time import checkpoint_gib
from planning.plan import NodePoolPlan, PodResourcesPlan, PodTransportPlan
from planning.shape import ShapePlan

_SYSTEM_CPUS = 2
"""Cores of a node for the DaemonSets of GKE and ours; the same in GiB of memory and of disk, images included, below."""
_SYSTEM_MEMORY_GIB = 4
_SYSTEM_DISK_GIB = 60
_KERNELS_GIB = 6
"""Compiled kernels and CUDA graphs of one server, generously: measured caches are below 1 GiB."""
_TEMPORARY_GIB = 4
_LOG_GIB = 1
_WEIGHTS_MARGIN = 1.05
"""Beside the weights lie tokenizer, configuration and what the hub's client has half fetched."""
_SHARED_MEMORY_GIB = 2
"""Of /dev/shm for each GPU; the default of 64 MiB ends tensor parallel servers."""
_PROCESS_MEMORY_GIB = 8
"""For each GPU's process and its share of the server's own, beside /dev/shm and offloaded blocks."""


def plan_resources(
    wanted: ModelSettings,
    machine: MachineType,
    model: Model,
    pool: NodePoolPlan,
    shape: ShapePlan,
    transport: PodTransportPlan | None,
    pool_path: str,
    model_path: str,
    findings: Findings,
) -> PodResourcesPlan:
    """Whole nodes where a server spans several. Refuses a disk or a memory that is too small, with the numbers."""
    reserved = google_platform().reserved
    share = 1.0 if shape.nodes > 1 else shape.gpus_per_node / machine.gpus
    disk = reserved.allocatable_ephemeral_gib(
        pool.boot_disk_size_gib, pool.local_ssds, machine.local_ssd.total_gib if pool.local_ssds else 0
    )
    disk_share = floor((disk - _SYSTEM_DISK_GIB) * share)
    weights = ceil((checkpoint_gib(model) + _adapters_gib(wanted) + _draft_gib(wanted)) * _WEIGHTS_MARGIN)
    needed = weights + _KERNELS_GIB + _TEMPORARY_GIB + _LOG_GIB
    if needed > disk_share:
        findings.refuse(
            f"{pool_path}.bootDiskSizeGib",
            f"{wanted.name} needs {needed} GiB of disk for its weights, and its share of a node is "
            f"{max(0, disk_share)} GiB",
            "Write a larger boot disk",
        )
    beside_cpus, beside_gib = (transport.sidecar_cpus, transport.sidecar_memory_gib) if transport else (0, 0)
    # The kubelet takes pages that are set aside out of the memory that pods can have.
    left = reserved.allocatable_memory_gib(machine.memory_gib) - (pool.huge_pages or 0) * 2 / 1024
    memory = floor((left - _SYSTEM_MEMORY_GIB) * share) - beside_gib
    shared = _SHARED_MEMORY_GIB * shape.gpus_per_node
    offload = ceil(wanted.engine.kv_offload.size_gib / shape.nodes) if wanted.engine.kv_offload else 0
    least = shared + offload + _PROCESS_MEMORY_GIB * shape.gpus_per_node
    if offload and least > memory:
        room = memory - least + offload
        findings.refuse(
            f"{model_path}.engine.kvOffload.sizeGib",
            f"{offload} GiB a pod are more than the {max(0, room)} GiB that its share of a node, {memory} GiB, leaves",
            f"Write at most {max(0, room) * shape.nodes}",
        )
    return PodResourcesPlan(
        gpus=shape.gpus_per_node,
        cpus=max(1, floor((reserved.allocatable_cpu(machine.vcpus) - _SYSTEM_CPUS) * share) - beside_cpus),
        memory_gib=memory,
        shared_memory_gib=shared,
        kv_offload_gib=offload,
        ephemeral_storage_gib=needed,
        weights_gib=weights,
        kernels_gib=_KERNELS_GIB,
        temporary_gib=_TEMPORARY_GIB,
    )


def _adapters_gib(wanted: ModelSettings) -> float:
    """An adapter of rank 64 for a model of 70 billion weights is below 2 GiB."""
    return 2.0 * len(wanted.engine.lora.adapters) if wanted.engine.lora else 0.0


def _draft_gib(wanted: ModelSettings) -> float:
    speculative = wanted.engine.speculative
    return (speculative.model_gib or 0.0) if speculative else 0.0
