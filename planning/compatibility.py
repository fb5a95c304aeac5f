"""Checks what runs together: GKE and the machine, the driver it brings and the image's CUDA, the plugin and its NCCL.

What is known to fail is refused; what nobody is known to have run is a warning, never a silent pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog import (
    CHART_RELEASES,
    GKE_CHANNELS,
    GKE_FEATURES,
    GKE_RELEASES,
    NETWORK_PROFILES,
    Accelerator,
    GkeChannel,
    VllmRelease,
    gke_version_reaches,
)
from config.settings import Settings
from planning.errors import Findings
from planning.pools import ResolvedPool


def plan_gke_version(settings: Settings, pools: tuple[ResolvedPool, ...], findings: Findings) -> str | None:
    """The version that the cluster asks for: the stack's, or of what its release channel has the nearest to what its
    first accelerator is known to run."""
    version = settings.cluster.version
    channel = None if settings.cluster.existing else GKE_CHANNELS[settings.cluster.release_channel]
    if version is None:
        prefix = pools[0].accelerator.gke.default_prefix if pools else None
        if prefix is None:
            return None
        known = prefix.rstrip(".")
        version = channel.nearest(known) if channel else known
    elif channel:
        _check_channel(version, settings.cluster.release_channel, channel, findings)
    for pool in pools:
        for what, floors in gke_floors(pool):
            _check_floor(version, f"{what} of {pool.path}", floors, findings)
    _check_floor(version, "the LeaderWorkerSet controller", _chart_floors("lws"), findings)
    return version


def _check_channel(version: str, name: str, channel: GkeChannel, findings: Findings) -> None:
    """What a channel has lost never comes back; what it had not yet it may have by now, which only Google can say."""
    had = f"the {name} channel, which had {channel.oldest} to {channel.newest} on {channel.as_of}"
    if channel.is_over(version):
        findings.refuse(
            "cluster.version",
            f"GKE {version} is no longer offered by {had}",
            f"Write {channel.oldest} or newer, or leave version out",
        )
    elif channel.is_yet_to_come(version):
        findings.warn(
            "cluster.version",
            f"GKE {version} is newer than what is known of {had}; `make doctor STACK=…` asks Google whether it has it",
        )


def gke_floors(pool: ResolvedPool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a pool needs of GKE, and the lowest versions that have it."""
    yield pool.machine.name, pool.accelerator.gke_floors_of(pool.machine)
    if feature := pool.kind.traits.gke_feature:
        yield pool.kind.value, GKE_FEATURES[feature].floors
    if pool.by_dranet:
        yield "DRANET", GKE_FEATURES["managed-dranet"].floors
    if pool.settings.secondary_boot_disk:
        yield "secondaryBootDisk", GKE_FEATURES["secondary-boot-disk"].floors
    if pool.accelerator.nodes.dra_driver:
        yield "the ComputeDomain", GKE_FEATURES["dynamic-resource-allocation"].floors
        yield "NVIDIA's DRA driver", _chart_floors(pool.accelerator.nodes.dra_driver)


def _chart_floors(name: str) -> tuple[str, ...]:
    floor = CHART_RELEASES[name].kubernetes_floor
    return (floor,) if floor else ()


def _check_floor(version: str, what: str, floors: tuple[str, ...], findings: Findings) -> None:
    reached = gke_version_reaches(version, floors)
    if reached is False:
        findings.refuse(
            "cluster.version", f"GKE {version} is too old for {what}", f"Write at least one of {', '.join(floors)}"
        )
    elif reached is None:
        findings.warn(
            "cluster.version",
            f"GKE {version} may be older than {what} needs ({', '.join(floors)}); write the patch version",
        )


@dataclass(frozen=True)
class NodeDriver:
    """The driver that GKE installs on nodes with such GPUs."""

    accelerator: Accelerator
    branch: int | None
    """The driver's branch, such as 580; None: it is not known."""
    where: str
    """The pool and its node image, as people read it."""

    @classmethod
    def of(cls, pool: ResolvedPool, version: str | None) -> "NodeDriver":
        """The driver of a pool's nodes with that version of GKE; None: with the channel's own."""
        minor = ".".join((version or "").split(".")[:2])
        branch = GKE_RELEASES[minor].driver_branch(pool.driver) if minor in GKE_RELEASES else None
        return cls(pool.accelerator, branch, f"the {pool.driver.value} driver of GKE {minor or 'in this channel'}")


def check_driver(
    driver: NodeDriver, release: VllmRelease, path: str, findings: Findings, *, accept_compatibility: bool
) -> dict[str, str]:
    """What the environment of a server needs to run on that driver.

    Refuses a driver known to be too old for the image's CUDA, or for the GPU and its fabric.
    """
    branch, where = driver.branch, driver.where
    floor = f"vLLM {release.version} (CUDA {release.cuda}) needs R{release.driver_branch_floor}"
    if branch is None:
        findings.warn(path, f"{floor}, and the branch of {where} is not known")
        return {}
    least = driver.accelerator.driver.minimum_branch
    if least is not None and branch < least:
        findings.refuse(
            path,
            f"{driver.accelerator.title} needs a driver of R{least}, and {where} is R{branch}",
            "Write a newer cluster.version, or driverVersion: LATEST for the pool",
        )
        return {}
    if branch >= release.driver_branch_floor:
        return {}
    if accept_compatibility and release.driver_compatibility_variable:
        findings.warn(path, f"{floor}; {where} is R{branch}, and CUDA's compatibility libraries bridge the gap")
        return {release.driver_compatibility_variable: "1"}
    findings.refuse(
        path,
        f"{floor}, and {where} is R{branch}",
        "Write a newer cluster.version, or cudaCompatibility: true to run on CUDA's compatibility libraries",
    )
    return {}


def check_architecture(accelerator: Accelerator, release: VllmRelease, path: str, findings: Findings) -> None:
    """Refuses vLLM's own image on nodes whose processors it is not built for; of another image nobody here knows."""
    if accelerator.architecture not in release.architectures:
        findings.refuse(
            path,
            f"the image of vLLM {release.version} is built for {', '.join(release.architectures)}, and the nodes of "
            f"{accelerator.title} are {accelerator.architecture.value}",
            "Write another vllmVersion, or image: for one that is built for these nodes",
        )


def check_plugin(pool: ResolvedPool, release: VllmRelease, path: str, findings: Findings) -> None:
    """Warns where a server that spans nodes pairs an NCCL plugin with an NCCL it is not known to have run with."""
    plugin = pool.installer
    if plugin is None:
        return
    major_minor = ".".join(release.nccl.split(".")[:2])
    for tried in plugin.tried:
        if tried.with_.get("nccl", "").startswith(major_minor):
            if not tried.works:
                findings.refuse(path, f"{plugin.name} fails with NCCL {release.nccl} ({tried.source})")
            return
    findings.warn(
        path, f"{plugin.name} with NCCL {release.nccl} of vLLM {release.version}: nobody is known to have run it"
    )


def check_network_profiles(pools: tuple[ResolvedPool, ...], findings: Findings) -> None:
    """Warns of a zone that is not known to have the profile its fabric needs; only Google's API can say for sure."""
    for pool in pools:
        zone = pool.settings.zone
        for vpc in pool.fabric.vpcs:
            profile = NETWORK_PROFILES[vpc.network_profile] if vpc.network_profile else None
            if profile and zone not in profile.zones:
                findings.warn(
                    f"{pool.path}.zone",
                    f"{zone} is not known to have the network profile {zone}-{profile.name}; ask with "
                    "`gcloud compute network-profiles list`",
                )
