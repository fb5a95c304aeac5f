"""How a node has container images before a pod needs them: image streaming, and disks with images on them."""

import re

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.resources.services import disabled_service

STREAMING_SERVICE = "containerfilesystem.googleapis.com"

_STREAMING = "cloud.google.com/kubernetes-engine/docs/how-to/image-streaming"
_PRELOADING = "cloud.google.com/kubernetes-engine/docs/how-to/data-container-image-preloading"
_IMAGE = re.compile(
    r"(https://www\.googleapis\.com/compute/v1/)?projects/[^/]+/global/images/[a-z]([-a-z0-9]*[a-z0-9])?"
)
_MODES = ("CONTAINER_IMAGE_CACHE", "MODE_UNSPECIFIED")
_DISKS = "nodeConfig.secondaryBootDisks"

rules = Rules()


def _streams(request: Request) -> bool:
    return bool(request.inputs.flag("nodeConfig.gcfsConfig.enabled"))


@rules("pool-image-streaming-image", _STREAMING, Stage.CHECK)
def streaming_needs_cos(request: Request) -> str | None:
    image = (request.inputs.text("nodeConfig.imageType") or "COS_CONTAINERD").upper()
    if not _streams(request) or image == "COS_CONTAINERD":
        return None
    return f"Error 400: Image streaming is not supported by image type {image}., badRequest"


@rules("pool-image-streaming-api", _STREAMING, Stage.CREATE, Stage.UPDATE)
def streaming_service_is_enabled(request: Request) -> str | None:
    return disabled_service(request.state, request.project, STREAMING_SERVICE) if _streams(request) else None


@rules("pool-secondary-disk", _PRELOADING, Stage.CHECK)
def secondary_disks_are_well_formed(request: Request) -> str | None:
    for disk in request.inputs.items(_DISKS):
        image, mode = disk.text("diskImage"), disk.text("mode")
        if image is not None and not _IMAGE.fullmatch(image):
            return (
                f'Error 400: Invalid disk image "{image}" of a secondary boot disk: must be of the form '
                "projects/PROJECT/global/images/IMAGE., badRequest"
            )
        if mode is not None and mode not in _MODES:
            return f"expected secondaryBootDisks.mode to be one of {list(_MODES)}, got {mode}"
    return None


@rules("pool-secondary-disk-streaming", _PRELOADING, Stage.CHECK)
def image_cache_needs_streaming(request: Request) -> str | None:
    caches = any(disk.text("mode") == "CONTAINER_IMAGE_CACHE" for disk in request.inputs.items(_DISKS))
    if not caches or _streams(request) or request.inputs.unknown("nodeConfig.gcfsConfig"):
        return None
    return "Error 400: A secondary boot disk as a container image cache requires image streaming., badRequest"
