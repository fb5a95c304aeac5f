"""Rules for images: each names a version, and in a protected stack its digest, so that what runs was reviewed."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from policy.resource_types import DEPLOYMENT
from policy.resources import Resource, Stack, containers, is_unknown
from policy.rule import Level, Rule, stack_of

_RELEASES = Path(__file__).parents[1] / "catalog" / "releases"
_FLOATING = frozenset({"latest", "main", "master", "nightly", "edge", "stable"})


def digest_level(releases: Path) -> Level:
    """The level of the rule about digests: mandatory once `make lock-images` has given every image in these files its
    digest, and advice until then."""
    # The files are read as plain YAML, since the catalogue's own models take longer to import than all rules together.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = (yaml.load(file.read_text(encoding="utf-8"), loader) for file in sorted(releases.rglob("*.yaml")))
    locked = all(image.get("digest") for content in files for image in catalogued(content))
    return Level.MANDATORY if locked else Level.ADVISORY


def catalogued(node: Any) -> Iterator[dict[str, Any]]:
    """All mappings that have a repository and a tag."""
    if isinstance(node, list):
        for item in cast(list[Any], node):
            yield from catalogued(item)
    elif isinstance(node, dict):
        mapping = cast(dict[str, Any], node)
        if {"repository", "tag"} <= mapping.keys():
            yield mapping
        yield from catalogued(list(mapping.values()))


def _unpinned(resource: Resource, _: Stack) -> Iterable[str]:
    for name, image in _images(resource):
        tag = _tag(image)
        if "@" not in image and (not tag or tag in _FLOATING):
            yield f"container {name} runs {image}, which is another image tomorrow; write a version or a digest"


def _without_digest(stack: Stack) -> Iterable[tuple[Resource | None, str]]:
    if not stack.protected:
        return
    for resource in stack.resources:
        for name, image in _images(resource):
            if "@sha256:" not in image:
                message = (
                    f"container {name} runs {image}; in a protected stack name its digest, {image}@sha256:…, "
                    "which `make lock-images` writes into the catalogue"
                )
                yield resource, message


def _images(resource: Resource) -> Iterable[tuple[str, str]]:
    for container in containers(resource):
        image = container.get("image")
        if isinstance(image, str) and image and not is_unknown(image):
            yield str(container.get("name", "?")), image


def _tag(image: str) -> str:
    """The tag of an image. A colon before the last slash belongs to a port."""
    last = image.rsplit("/", 1)[-1].split("@")[0]
    return last.partition(":")[2]


def _deployment(image: str) -> Resource:
    pod = {"containers": [{"name": "server", "image": image}]}
    labels = {"app.kubernetes.io/name": "example"}
    properties: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "example", "namespace": "example", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    return Resource(type=DEPLOYMENT, name="example", properties=properties)


_DIGEST = "@sha256:" + 8 * "0123abcd"

RULES = (
    Rule(
        id="image-pinned",
        level=Level.MANDATORY,
        reason="An image without a version changes at the next restart, and nobody reviews it.",
        check=_unpinned,
        failing=stack_of(_deployment("docker.io/vllm/vllm-openai:latest")),
        passing=stack_of(_deployment("docker.io/vllm/vllm-openai:v0.33.0")),
    ),
    Rule(
        id="image-digest-in-protected",
        level=digest_level(_RELEASES),
        reason="A tag can be pushed again; a digest is the very bytes that were tested.",
        check_stack=_without_digest,
        failing=stack_of(_deployment("docker.io/vllm/vllm-openai:v0.33.0"), name="production"),
        passing=stack_of(_deployment(f"docker.io/vllm/vllm-openai:v0.33.0{_DIGEST}"), name="production"),
    ),
)
