"""Checks every image and chart of the plan: whether it exists and can be pulled without credentials, from registries
that may limit pulls."""

from collections.abc import Iterator

from catalog import CHART_RELEASES
from planning.images import origin
from planning.plan import PlatformPlan
from verification.doctor.look import Look, Question
from verification.doctor.registry import manifest
from verification.doctor.rows import Row
from verification.results import CheckFailed, NotObservable

_GOOGLES = (".pkg.dev", "gcr.io")
_MIRROR = "let it come through Artifact Registry (images.mirror)"
_FEW = 10
"""A small number of pulls that are left; all nodes behind one NAT share them."""


def image_questions(look: Look, mirror: str | None) -> Iterator[Question]:
    for reference in images(look.plan):
        yield Question(reference, Row.IMAGE, lambda reference=reference: _image(look, reference, mirror))


def images(plan: PlatformPlan) -> list[str]:
    """All images of the plan where they come from in the end, each once, and the LeaderWorkerSet chart if it comes from
    a registry."""
    found = [model.image for model in plan.models]
    found += [preflight.image for preflight in plan.preflights]
    pinned = [image for each in plan.nccl_installers for image in (each.image, each.pause_image, each.host_image)]
    pinned += [daemon.image for daemon in plan.node_daemons]
    if plan.fabric and plan.fabric.sidecar:
        pinned.append(plan.fabric.sidecar.image)
    found += [image.reference for image in pinned if image]
    controller = plan.leader_worker_set
    if controller.chart.startswith("oci://"):
        found.append(f"{controller.chart.removeprefix('oci://')}:{controller.version}")
    release = next((each for each in CHART_RELEASES.values() if each.reference == controller.chart), None)
    found += [f"{image.repository}:{controller.controller_tag}" for image in release.images] if release else []
    return sorted({origin(plan.image_mirror, each) for each in found})


def _image(look: Look, reference: str, mirror: str | None) -> str:
    found = manifest(look.web, reference, mirror)
    host = reference.partition("/")[0]
    if found.status == 200 and found.digest:
        limit = f"{found.pulls_left} of {found.pulls} pulls are left to this address" if found.pulls_left else ""
        if found.pulls_left and found.pulls_left.isdigit() and int(found.pulls_left) < _FEW:
            raise CheckFailed(f"there, but {limit}: {_MIRROR}")
        limit += ", and nodes share theirs" if limit else ""
        return "; ".join(filter(None, ["there", limit]))
    if found.status == 429:
        raise CheckFailed(f"{host} refuses this address for today (429), as it may the nodes' one: {_MIRROR}")
    if found.status in (401, 403) and host.endswith(_GOOGLES):
        raise NotObservable("private: nodes read it as their own account, which nobody can try from here")
    if found.status in (401, 403, 404):
        raise CheckFailed(f"{host} has no such image that everybody may pull ({found.status}): correct its name or tag")
    raise NotObservable(f"{host} answers {found.status}; ask again later")
