"""What any GKE cluster needs, whatever its accelerators: APIs, node roles, system machines, reservations of a node."""

from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.accelerator import DiskType
from catalog.source import read_yaml


class Step(Entry):
    """One step: GKE reserves `fraction` of what is between the step before and `up_to`; None: of all the rest."""

    up_to: int | None = None
    fraction: float


class Line(Entry):
    """A fraction of an amount, and so many GiB besides."""

    fraction: float
    gib: float

    def of(self, gib: float) -> float:
        return gib * self.fraction + self.gib


class EphemeralReservation(Entry):
    """What GKE reserves of a node's ephemeral storage, in GiB, apart from the two fractions."""

    half: float
    base: int
    fraction: float
    most: int
    one_ssd: int
    each_further_ssd: int


class NodeReservations(Entry):
    """What GKE reserves of a node for the system."""

    kernel: Line = Field(description="memory that the kernel keeps before GKE does")
    boot_disk_gib: Line = Field(description="of the operating system's partitions")
    local_ssd_file_system: float = Field(description="fraction of local SSDs that their file system takes, at most")
    cpu: tuple[Step, ...] = Field(description="steps in cores")
    memory_gib: tuple[Step, ...] = Field(description="steps in GiB")
    eviction_mib: int
    ephemeral_gib: EphemeralReservation
    ephemeral_eviction: float

    def allocatable_cpu(self, vcpus: int) -> float:
        """The cores that pods may request of a node with so many vCPUs."""
        return vcpus - _kept(vcpus, self.cpu)

    def allocatable_memory_gib(self, memory_gib: float) -> float:
        """The GiB of memory that pods may request of a node with so many GiB."""
        return self.capacity_gib(memory_gib) - _kept(memory_gib, self.memory_gib) - self.eviction_mib / 1024

    def capacity_gib(self, memory_gib: float) -> float:
        """The GiB of memory that a node reports if its machine has so many GiB."""
        return memory_gib - self.kernel.of(memory_gib)

    def allocatable_ephemeral_gib(self, boot_disk_gib: int, local_ssds: int, local_ssd_gib: int) -> float:
        """The GiB of ephemeral storage that pods may request; on the local SSDs if there are any, else on the boot
        disk."""
        kept = self.ephemeral_gib
        if local_ssds:
            reserved = min(kept.most, kept.one_ssd + kept.each_further_ssd * (local_ssds - 1))
            return local_ssd_gib * (1 - self.local_ssd_file_system) * (1 - self.ephemeral_eviction) - reserved
        reserved = min(kept.half * boot_disk_gib, kept.base + kept.fraction * boot_disk_gib, kept.most)
        return (boot_disk_gib - self.boot_disk_gib.of(boot_disk_gib)) * (1 - self.ephemeral_eviction) - reserved


class SystemPool(Entry):
    """Machines of a pool that runs no model."""

    machine_type: str = Field(description="Google's name")
    disk_type: DiskType = Field(description="of the boot disk")
    disk_size_gib: int = Field(description="GiB of the boot disk")


class Nat(Entry):
    """The number of ports of Cloud NAT's addresses that a VM may have."""

    min_ports_per_vm: int
    max_ports_per_vm: int


class SystemPods(Entry):
    """The part of a node that a model server leaves to pods of GKE and to ours."""

    cpus: float
    memory_gib: float
    disk_gib: float = Field(description="of ephemeral storage, for images")


class ManagedDranet(Entry):
    """GKE's managed DRANET: the label that puts its driver on a node, and the class of RDMA NICs it publishes."""

    node_labels: dict[str, str]
    rdma_device_class: str


class Monitoring(Entry):
    """Components of GKE whose metrics Cloud Monitoring collects."""

    components: tuple[str, ...]
    prometheus_components: tuple[str, ...] = Field(description="with managed Prometheus besides")


class ImageStreaming(Entry):
    """What nodes need to start containers while their image is still being read."""

    service: str
    node_roles: tuple[str, ...] = Field(description="of the nodes' account, besides those that all nodes have")


class ImageMirror(Entry):
    """The remote repository of Artifact Registry in front of Docker Hub."""

    service: str
    keep_days: int = Field(description="after which the repository forgets an image")


class GooglePlatform(Entry):
    services: tuple[str, ...]
    image_streaming: ImageStreaming
    image_mirror: ImageMirror
    secret_manager_service: str
    monitoring: Monitoring
    node_roles: tuple[str, ...]
    pods_per_node: int = Field(description="that GKE allows where a pool does not say")
    vpc_mtu: int = Field(description="bytes")
    nat: Nat
    system_pool: SystemPool
    first_pool: SystemPool = Field(description="made with a cluster, and removed at once")
    flex_start_max_hours: int
    dranet: ManagedDranet
    system_pods: SystemPods
    reserved: NodeReservations


@cache
def google_platform() -> GooglePlatform:
    data = read_yaml(Path(__file__).parent / "google.yaml")
    return GooglePlatform.model_validate(data, by_alias=True, by_name=False)


def _kept(amount: float, steps: tuple[Step, ...]) -> float:
    kept, lower = 0.0, 0.0
    for step in steps:
        upper = amount if step.up_to is None else min(amount, step.up_to)
        kept += max(0.0, upper - lower) * step.fraction
        lower = upper
    return kept
