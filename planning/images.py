"""Decides where container images come from, and whether nodes may start them while they are still being read.

Artifact Registry keeps what a remote repository got of Docker Hub under the same path and digest, below its own address
(cloud.google.com/artifact-registry/docs/docker/pull-remote, read 2026-11-28).
"""

import re
from typing import TypeVar

from catalog.google import google_platform
from catalog.release import Image
from config.settings import Settings
from planning.decision import Decision
from planning.errors import Findings
from planning.node_cache import NODES_NAMESPACE
from planning.plan import ImageMirrorPlan, ModelServerPlan, NodePoolPlan, PrePullPlan
from planning.pools import ResolvedPool

DOCKER_HUB = "docker.io"
_ARTIFACT_REGISTRY = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev")
_FIELDS = ("image", "pause_image", "host_image")

_Plan = TypeVar("_Plan", bound=Decision)


def plan_mirror(settings: Settings, prefix: str, findings: Findings) -> ImageMirrorPlan | None:
    """The repository in front of Docker Hub; None: images of Docker Hub come from there."""
    wanted = settings.images.mirror
    if wanted is None:
        return None
    keep_days = google_platform().image_mirror.keep_days
    there = wanted.repository
    if there is None:
        name = f"{prefix}-docker-hub"
        return ImageMirrorPlan(
            project=settings.project, location=settings.region, name=name, exists=False, keep_days=keep_days
        )
    project = there.project.replace("/", ":")
    found = ImageMirrorPlan(project=project, location=there.location, name=there.name, exists=True, keep_days=keep_days)
    if not _near(found.location, settings.region):
        findings.warn(
            "images.mirror.existing",
            f"is in {found.location}: every node in {settings.region} pulls its images over that distance, and Google "
            "charges for it",
        )
    if settings.project and found.project != settings.project:
        findings.warn(
            "images.mirror.existing",
            f"is in project {found.project}: its owner must give the nodes' account roles/artifactregistry.reader",
        )
    return found


def through(mirror: ImageMirrorPlan | None, plans: tuple[_Plan, ...]) -> tuple[_Plan, ...]:
    """The same plans, whose images of Docker Hub come through the repository. All images of the plan go this way."""
    if mirror is None:
        return plans
    return tuple(
        each.model_copy(
            update={name: _through(mirror, image) for name in _FIELDS if (image := getattr(each, name, None))}
        )
        for each in plans
    )


def _through(mirror: ImageMirrorPlan, image: str | Image) -> str | Image:
    if isinstance(image, str):
        return mirrored(mirror, image)
    return image.model_copy(update={"repository": mirrored(mirror, image.repository)})


def mirrored(mirror: ImageMirrorPlan, reference: str) -> str:
    """The reference to the same bytes in the repository, if it is one of Docker Hub's."""
    host, path = host_and_path(reference)
    return f"{mirror.address}/{path}" if host == DOCKER_HUB else reference


def origin(mirror: ImageMirrorPlan | None, reference: str) -> str:
    """Where an image comes from in the end: the reference that `mirrored` was given."""
    if mirror is None or not reference.startswith(f"{mirror.address}/"):
        return reference
    return f"{DOCKER_HUB}/{reference.removeprefix(f'{mirror.address}/')}"


def host_and_path(reference: str) -> tuple[str, str]:
    """The registry of a reference, and the rest with its tag and digest, as containerd reads them: without a host it is
    Docker Hub's, and there a single name is of `library`."""
    first, slash, rest = reference.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = DOCKER_HUB, reference
    if first == "index.docker.io":
        first = DOCKER_HUB
    return first, f"library/{rest}" if first == DOCKER_HUB and "/" not in rest else rest


def check_streaming(
    settings: Settings, pools: tuple[NodePoolPlan, ...], models: tuple[ModelServerPlan, ...], findings: Findings
) -> None:
    """Refuses to stream images that GKE would pull whole after all. One of a secondary boot disk is read from there."""
    for index, pool in enumerate(pools):
        if not pool.image_streaming or pool.secondary_boot_disk:
            continue
        for model in models:
            if model.node_pool == pool.name and (why := _not_streamed(model.image, settings.region)):
                what, advice = why
                findings.refuse(f"nodePools[{index}].imageStreaming", f"{model.image} {what}", advice)


def plan_pre_pulls(
    settings: Settings, pools: tuple[ResolvedPool, ...], models: tuple[ModelServerPlan, ...], findings: Findings
) -> tuple[PrePullPlan, ...]:
    """One for each pool with servers whose nodes pull images whole."""
    if not settings.images.pre_pull:
        return ()
    images = {
        pool.name: tuple(sorted({each.image for each in models if each.node_pool == pool.name})) for pool in pools
    }
    plans = tuple(
        PrePullPlan(
            name=f"pre-pull-{pool.name}",
            namespace=NODES_NAMESPACE,
            images=images[pool.name],
            node_pools=(pool.name,),
            taints=pool.accelerator.nodes.taints,
        )
        for pool in pools
        if images[pool.name] and not pool.settings.image_streaming
    )
    if not plans:
        findings.warn("images.prePull", "pulls nothing: no model is on a pool without imageStreaming")
    return plans


def _not_streamed(reference: str, region: str) -> tuple[str, str] | None:
    """Why an image is not streamed to nodes of a region, and what to write; None if it is."""
    host, _ = host_and_path(reference)
    match = _ARTIFACT_REGISTRY.fullmatch(host)
    if match is None:
        what = f"of {host} is not streamed: only images in Artifact Registry are, where all nodes read one copy"
        if host == DOCKER_HUB:
            return what, "Write images: {mirror: {}}, or leave imageStreaming out"
        return what, "Keep it in a repository of Artifact Registry, or leave imageStreaming out"
    if not _near(match["location"], region):
        what = f"is not streamed: its repository is in {match['location']}, and the nodes are in {region}"
        return what, f"Keep it in a repository in {region}, or leave imageStreaming out"
    return None


def _near(location: str, region: str) -> bool:
    """Whether a repository's location is a region or the multi-region around it."""
    return location == region or location == region.partition("-")[0]
