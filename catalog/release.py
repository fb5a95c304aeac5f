"""What runs on the nodes and at which version: images, charts, installers, GKE minors, and what was tried with what."""

from datetime import date
from typing import Any, Self

from pydantic import Field, model_validator

from catalog._entry import Entry
from catalog.accelerator import Architecture, GpuDriverVersion
from catalog.engine import Engine, Tried
from catalog.fabric import Transport


class Image(Entry):
    """A container image by tag. Only `make lock-images` writes `digest` and `digest_date`, from the image registry."""

    repository: str = Field(description="with its registry")
    tag: str = Field(description="of the image")
    digest: str | None = Field(default=None, description="sha256:...; None: not locked yet")
    digest_date: date | None = Field(default=None, description="on which the tag had this digest; None: not locked yet")

    @model_validator(mode="after")
    def _digest_is_dated(self) -> Self:
        if (self.digest is None) != (self.digest_date is None):
            raise ValueError("a digest and its date are written together, by make lock-images")
        return self

    @property
    def reference(self) -> str:
        """The image's address as a pod spec wants it, with tag and digest."""
        tagged = f"{self.repository}:{self.tag}"
        return tagged if self.digest is None else f"{tagged}@{self.digest}"


class VllmRelease(Engine):
    """One vLLM release: how it behaves, and its image."""

    image: Image
    architectures: tuple[Architecture, ...]
    cuda: str
    driver_branch_floor: int = Field(description="R-branch")
    driver_compatibility_variable: str | None = Field(description='set to "1" to run below the floor')
    nccl: str
    python: str
    command: tuple[str, ...]
    ray: bool = Field(description="the image has Ray")
    multi_node_without_ray: bool
    shutdown_timeout_flag: bool
    streams_buckets: bool = Field(
        default=False, description="it was seen to read gs:// by --load-format runai_streamer"
    )
    environment: dict[str, str] = Field(default_factory=dict[str, str])
    sources: tuple[str, ...]
    note: str | None = None

    __hash__ = Engine.__hash__


class ChartRelease(Entry):
    """A Helm chart at the one version that stacks get."""

    name: str
    version: str
    reference: str = Field(description="OCI reference, or the address of the packed chart")
    namespace: str
    images: tuple[Image, ...] = ()
    kubernetes_floor: str | None = Field(description="minor version; None: not stated")
    values: dict[str, Any] = Field(default_factory=dict[str, Any], description="that GKE nodes need of the chart")
    tried: tuple[Tried, ...] = ()
    sources: tuple[str, ...]
    note: str | None = None


class HostPath(Entry):
    """A folder of the node and where the installer or daemon sees it."""

    name: str = Field(description="of the volume")
    host_path: str = Field(description="folder of the node")
    mount_path: str = Field(description="folder in the container")
    type: str | None = Field(default=None, description="of Kubernetes' hostPath; None: it is not checked")


class PodMount(Entry):
    """A folder in a pod: the node's, or one that the pod's containers share."""

    name: str = Field(description="of the volume")
    host_path: str | None = Field(description="None: an emptyDir")
    mount_path: str = Field(description="folder in the container")


class Copy(Entry):
    """Files that the installer copies, contents into contents."""

    source: str = Field(description="folder in the installer's container")
    target: str = Field(description="folder that the same container sees of the node")


class Sidecar(Entry):
    """The daemon that must run beside each workload of GPUDirect-TCPX and TCPXO."""

    name: str = Field(description="of the container")
    image: Image = Field(description="of the container")
    command: tuple[str, ...] = Field(description="of the container")
    capabilities: tuple[str, ...] = Field(description="Linux capabilities, without CAP_")
    mounts: tuple[PodMount, ...] = Field(description="of the container")
    environment: dict[str, str] = Field(description="variables of the container")
    device_annotation: str = Field(
        description="annotation of the pod by which the device injector gives this container its devices"
    )
    devices: tuple[str, ...] = Field(description="paths in the container")


class Diagnostic(Entry):
    """An all-gather over two nodes. The lines are shell of the image; `HOSTS` and `GPUS` are variables of theirs."""

    image: Image
    prepare: tuple[str, ...] = Field(description="on every node: answers the first one")
    meet: tuple[str, ...] = Field(description="on the first node: until all answer")
    measure: str = Field(description="on the first node: one command, whose exit status is that of the test")
    sources: tuple[str, ...]
    note: str | None = None

    @model_validator(mode="after")
    def _measures_an_all_gather_and_can_fail(self) -> Self:
        if "all_gather_perf" not in self.measure:
            raise ValueError("measure runs no all_gather_perf")
        if not self.measure.startswith("mpirun "):
            raise ValueError("measure does not call mpirun itself, so the test's exit status might be lost")
        return self


class InstallerRelease(Entry):
    """One NCCL plugin installer: a DaemonSet that lays libraries out on the node."""

    name: str
    pinned: bool = Field(default=False, description="what such nodes get if no installer is named")
    transport: Transport
    version: str
    architecture: Architecture
    daemon_set: str
    namespace: str
    gke_labels: tuple[str, ...] = Field(description="values of cloud.google.com/gke-accelerator it is made for")
    image: Image
    command: tuple[str, ...]
    host_preparation: tuple[str, ...] = Field(
        default=(), description="shell lines run in the node's own namespaces before the installer"
    )
    host_image: Image | None = Field(default=None, description="image with nsenter for these lines")
    sysctls: dict[str, str] = Field(default_factory=dict[str, str], description="set in the node's network namespace")
    host_paths: tuple[HostPath, ...]
    copies: tuple[Copy, ...] = ()
    pause_image: Image
    sidecar: Sidecar | None = None
    workload_mounts: tuple[PodMount, ...] = Field(default=(), description="that pods using the transport need")
    diagnostic: Diagnostic = Field(description="that tries this plugin between two nodes")
    tried: tuple[Tried, ...] = ()
    sources: tuple[str, ...]
    note: str | None = None


class NodeDaemonRelease(Entry):
    """A privileged DaemonSet that a transport needs on its nodes beside the installer."""

    name: str
    daemon_set: str
    namespace: str
    gke_labels: tuple[str, ...]
    image: Image
    command: tuple[str, ...] = Field(default=(), description="empty: the image's own")
    environment: dict[str, str] = Field(default_factory=dict[str, str])
    host_paths: tuple[HostPath, ...]
    huge_pages_mib: int | None = Field(default=None, description="in pages of 2 MiB")
    memory_mib: int | None = None
    health_port: int | None = Field(default=None, description="of an HTTP /healthz")
    sources: tuple[str, ...]
    note: str | None = None


class DriverBranch(Entry):
    """The driver that a `gpu_driver_version` gives; `version` is what was seen, and may have moved since."""

    branch: int
    version: str | None = None
    source: str


class GkeRelease(Entry):
    """One minor version of GKE; its name is the file's, such as `1.36`."""

    drivers: dict[GpuDriverVersion, DriverBranch | None] = Field(description="None: unknown")
    tried: tuple[Tried, ...] = ()
    sources: tuple[str, ...]
    note: str | None = None

    def driver_branch(self, version: GpuDriverVersion) -> int | None:
        """R-branch, or None if not known."""
        driver = self.drivers.get(version)
        return None if driver is None else driver.branch


class GkeFeature(Entry):
    """A feature of GKE and the versions it starts at, as in GkeVersions.floors."""

    name: str
    floors: tuple[str, ...]
    sources: tuple[str, ...]
    note: str | None = None


class Pins(Entry):
    """Versions that a stack file which says nothing gets."""

    vllm: str = Field(description="entry of VLLM_RELEASES")
    aiconfigurator_core: str = Field(description="of PyPI: estimates of speed, and published configs of models")


class GkeChannel(Entry):
    """The minor versions in which a release channel lets a cluster be made, on one day: they move every few months."""

    oldest: str
    newest: str
    as_of: date
    sources: tuple[str, ...]

    def is_over(self, version: str) -> bool:
        """Whether the version, or the minor of it, is one that the channel no longer had."""
        return _parts(version)[:2] < _parts(self.oldest)

    def is_yet_to_come(self, version: str) -> bool:
        """Whether it is one that the channel did not have yet."""
        return _parts(version)[:2] > _parts(self.newest)

    def nearest(self, version: str) -> str:
        """The version where the channel had its minor, else the minor of the channel's that is nearest to it."""
        return self.newest if self.is_yet_to_come(version) else self.oldest if self.is_over(version) else version


def gke_version_reaches(version: str, floors: tuple[str, ...]) -> bool | None:
    """Whether a GKE version, or a prefix such as `1.36.`, is at or above the floor that holds for its minor.

    None: the prefix leaves it open. No floors: always True.
    """
    if not floors:
        return True
    wanted = _parts(version)
    reached = [floor for floor in sorted(map(_parts, floors)) if floor[:2] <= wanted[:2]]
    if not reached:
        return False
    floor = reached[-1]
    if floor[:2] < wanted[:2] or len(floor) <= 2:
        return True
    if len(wanted) < len(floor) and wanted == floor[: len(wanted)]:
        return None
    return wanted >= floor


def _parts(version: str) -> tuple[int, ...]:
    """`1.34.5-gke.1153000` as (1, 34, 5, 1153000)."""
    return tuple(int(part) for part in version.replace("-gke", "").split(".") if part)
