"""Accelerators as GKE offers them: the GPU, its machine types, how to get them and what their nodes must look like."""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from catalog._entry import Entry
from catalog.capacity import CapacityKind
from catalog.fabric import Fabric, NoFabric


class Architecture(StrEnum):
    """The processor's architecture, as in the node label kubernetes.io/arch."""

    AMD64 = "amd64"
    ARM64 = "arm64"


GPUS_PER_FAMILY = "GPUS-PER-GPU-FAMILY-per-project-region"
"""The Cloud Quotas id of the one limit that the newer GPUs have, each family by itself (2026-06-29)."""


class DiskType(StrEnum):
    """Kind of a boot disk, by Google's names."""

    PD_STANDARD = "pd-standard"
    PD_BALANCED = "pd-balanced"
    PD_SSD = "pd-ssd"
    HYPERDISK_BALANCED = "hyperdisk-balanced"


class GpuDriverVersion(StrEnum):
    """`gpu_driver_version` of a node pool."""

    DEFAULT = "DEFAULT"
    LATEST = "LATEST"
    DISABLED = "INSTALLATION_DISABLED"


class LocalSsdMode(StrEnum):
    NONE = "none"
    OPTIONAL = "optional"
    FIXED = "fixed"


class TaintEffect(StrEnum):
    """What a taint does; values are Kubernetes' words, and members have Google's."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Basis(StrEnum):
    """How far a figure can be trusted, the surest first."""

    MEASURED = "measured"
    RECORDED = "recorded"
    """Recorded from vLLM's own code, which was asked without a GPU."""
    PUBLISHED = "published"
    ESTIMATED = "estimated"
    EXTRAPOLATED = "extrapolated"
    """Computed by our formulas from figures of another release, card or kind of model."""


class Taint(Entry):
    """A taint of a node, which only pods that tolerate it are put on."""

    key: str = Field(description="of the taint")
    value: str = Field(description="of the taint")
    effect: TaintEffect = Field(
        default=TaintEffect.NO_SCHEDULE, description="what happens to a pod that does not tolerate it"
    )


class DeviceMemory(Entry):
    """The memory of one whole GPU."""

    nominal_gb: int = Field(description="as the vendor's name has it")
    torch_gib: float = Field(description="GiB, total as torch and vLLM see it")
    torch_basis: Basis
    sources: tuple[str, ...]
    note: str | None = None


class NvLink(Entry):
    generation: int
    gbytes_per_second: int = Field(description="GB/s of one GPU, both directions together")


class LocalSsd(Entry):
    mode: LocalSsdMode
    count: int = Field(default=0, description="the fixed number, or the most that may be asked for")
    total_gib: int = 0


class Availability(Entry):
    """Where a machine type is offered on a date; being in the list is not capacity. `certain` False: warn only."""

    as_of: date
    certain: bool
    zones: tuple[str, ...] = ()
    regions_without_known_zone: tuple[str, ...] = ()
    sources: tuple[str, ...]
    note: str | None = None

    @property
    def regions(self) -> frozenset[str]:
        return frozenset(zone.rsplit("-", 1)[0] for zone in self.zones) | frozenset(self.regions_without_known_zone)


class MachineType(Entry):
    name: str
    gpus: int = Field(description="nvidia.com/gpu that a node advertises")
    gpu_fraction: float = Field(default=1.0, description="share of a GPU's memory that each of them is")
    vcpus: int
    memory_gib: float
    network_gbps: int | None = Field(default=None, description="of the whole machine; None: not found")
    nvlink_gpus: int = Field(description="GPUs that NVLink joins, over nodes if it does; 1 without NVLink")
    local_ssd: LocalSsd
    fabric: bool = Field(default=False, description="has the accelerator's fabric")
    capacity: tuple[CapacityKind, ...]
    compact_placement_max_nodes: int | None = Field(default=None, description="None: no compact placement")
    flex_start_compact_placement: bool = Field(default=False, description="flex-start and compact placement together")
    availability: Availability | None = Field(default=None, description="where it differs from the accelerator's")
    gke_floors: tuple[str, ...] | None = Field(default=None, description="where they differ from the accelerator's")
    note: str | None = None

    @property
    def nvlink_nodes(self) -> int:
        """The number of nodes of one NVLink domain."""
        return max(1, self.nvlink_gpus // self.gpus)

    @property
    def nvlink_gpus_per_node(self) -> int:
        return min(self.gpus, self.nvlink_gpus)


class BootDisk(Entry):
    allowed: tuple[DiskType, ...]
    default: DiskType

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.default not in self.allowed:
            raise ValueError(f"the default {self.default} is not among the allowed boot disks")
        return self


class Driver(Entry):
    minimum_branch: int | None = Field(description="R-branch below which the fabric or the GPU fails")
    default: GpuDriverVersion
    note: str | None = None


class GkeVersions(Entry):
    """`floors`: the lowest version in each minor that has one; a minor without one follows the next lower that has."""

    floors: tuple[str, ...]
    default_prefix: str | None = Field(description="None: whatever the release channel has")
    sources: tuple[str, ...]
    note: str | None = None


class Quota(Entry):
    """Names of the limits that bind; None: no such row or not known. A missing row is "unknown", never zero."""

    metric: str | None
    preemptible_metric: str | None
    quota_id: str | None
    preemptible_quota_id: str | None
    gpu_family: str | None = Field(description="by which a limit on GPUs of all families is counted")
    certain: bool
    sources: tuple[str, ...]
    note: str | None = None

    def metric_for(self, kind: CapacityKind) -> str | None:
        """The regions API metric that nodes obtained that way count against."""
        return self.preemptible_metric if kind.traits.preemptible else self.metric

    def quota_id_for(self, kind: CapacityKind) -> str | None:
        """The Cloud Quotas id that nodes obtained that way count against."""
        return self.preemptible_quota_id if kind.traits.preemptible else self.quota_id

    def dimensions_for(self, kind: CapacityKind) -> dict[str, str]:
        """The dimensions, besides the region, by which the limit with that id is counted."""
        by_family = self.quota_id_for(kind) == GPUS_PER_FAMILY
        return {"gpu_family": self.gpu_family} if by_family and self.gpu_family else {}


class NodeSettings(Entry):
    """What a node pool and the cluster have to say for these machines."""

    taints: tuple[Taint, ...]
    max_pods_per_node: int
    secure_boot_allowed: bool = True
    shielded_nodes_allowed: bool = True
    autoscaling: bool = True
    huge_pages: int | None = Field(default=None, description="number of 2 MiB pages to set aside")
    accelerator_topology: str | None = Field(
        default=None, description="of a HIGH_THROUGHPUT workload policy that a pool must have"
    )
    labels: dict[str, str] = Field(default_factory=dict[str, str])
    dra_driver: str | None = Field(
        default=None, description="entry of CHART_RELEASES that must run, with ComputeDomains"
    )
    note: str | None = None


class Accelerator(Entry):
    name: str
    title: str
    gke_label: str = Field(description="value of the node label cloud.google.com/gke-accelerator")
    architecture: Architecture = Architecture.AMD64
    compute_capability: str
    memory: DeviceMemory
    nvlink: NvLink | None
    boot_disk: BootDisk
    driver: Driver
    gke: GkeVersions
    nodes: NodeSettings
    quota: Quota
    availability: Availability
    reservation_sub_block_required: bool = False
    fabric: Fabric = NoFabric()
    machine_types: tuple[MachineType, ...]
    default_machine_type: str
    sources: tuple[str, ...]
    note: str | None = None

    @model_validator(mode="after")
    def _default_machine_type_exists(self) -> Self:
        if self.default_machine_type not in (machine.name for machine in self.machine_types):
            raise ValueError(f"the default machine type {self.default_machine_type} is not among the machine types")
        return self

    def machine_type(self, name: str) -> MachineType:
        """The machine type of that name. Raises KeyError."""
        for machine in self.machine_types:
            if machine.name == name:
                return machine
        raise KeyError(name)

    def fabric_of(self, machine: MachineType) -> Fabric:
        """The fabric between nodes of that machine type."""
        return self.fabric if machine.fabric else NoFabric()

    def availability_of(self, machine: MachineType) -> Availability:
        return machine.availability or self.availability

    def gke_floors_of(self, machine: MachineType) -> tuple[str, ...]:
        return self.gke.floors if machine.gke_floors is None else machine.gke_floors

    def torch_gib_of(self, machine: MachineType) -> float:
        """The GiB that torch sees on one of the machine's GPUs, which may be a fraction of a GPU."""
        return self.memory.torch_gib * machine.gpu_fraction
