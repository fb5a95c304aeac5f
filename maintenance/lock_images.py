"""`python -m maintenance.lock_images`: asks each image's registry for the digest of its tag, and writes it down with
the date.

Only the answer of a registry is written. An image whose registry cannot be reached stays as it is.
"""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

from policy.images import catalogued
from verification.doctor.hidden import Hidden
from verification.doctor.registry import manifest
from verification.doctor.web import Web
from verification.results import NotObservable

RELEASES = Path(__file__).parents[1] / "catalog" / "releases"
_SECONDS = 20.0
"""The time limit for one image."""

Resolve = Callable[[str, str], str]


class RegistryError(Exception):
    """A registry did not say what an image's digest is; the message says why."""


def resolve(repository: str, tag: str, scheme: str = "https") -> str:
    """The digest (`sha256:…`) that the image's registry gives for the tag. Raises RegistryError."""
    try:
        found = manifest(Web(_SECONDS, Hidden()), f"{repository}:{tag}", scheme=scheme)
    except NotObservable as error:
        raise RegistryError(f"{repository}:{tag}: {error}") from error
    if found.status != 200:
        raise RegistryError(f"{repository}:{tag}: the registry answers {found.status}")
    if not (found.digest or "").startswith("sha256:"):
        raise RegistryError(f"{repository}:{tag}: the registry names no digest")
    return str(found.digest)


def lock(folder: Path, resolve_image: Resolve, today: date, report: Callable[[str], None]) -> bool:
    """Writes the digest of every image in the YAML files below `folder`; returns False if a digest is missing."""
    yaml = cast(Any, YAML())
    yaml.preserve_quotes = True
    yaml.width = 120
    complete = True
    for file in sorted(folder.rglob("*.yaml")):
        document: Any = yaml.load(file)
        changed = False
        for image in catalogued(document):
            name = f"{image['repository']}:{image['tag']}"
            try:
                digest = resolve_image(str(image["repository"]), str(image["tag"]))
            except RegistryError as error:
                report(f"not locked: {error}")
                complete = False
                continue
            if image.get("digest") != digest:
                image["digest"], image["digestDate"] = digest, today
                changed = True
                report(f"locked {name} at {digest}")
        if changed:
            yaml.dump(document, file)
    return complete


def main() -> int:
    complete = lock(RELEASES, resolve, datetime.now(UTC).date(), lambda line: print(line, flush=True))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
