"""`python -m maintenance.lock_images`: asks each image's registry for the digest of its tag and writes it down, dated.

Only what a registry answered is ever written. An image whose registry cannot be reached stays as it is.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from urllib.request import parse_http_list, parse_keqv_list

import requests
from ruamel.yaml import YAML

RELEASES = Path(__file__).parents[1] / "catalog" / "releases"
_TIMEOUT_SECONDS = 10
_DOCKER_HUB = {"docker.io": "registry-1.docker.io"}
# An index first: the digest must be that of all architectures.
_MANIFEST_TYPES = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)

Resolve = Callable[[str, str], str]


class RegistryError(Exception):
    """A registry did not say what an image's digest is; the message says why."""


def resolve(repository: str, tag: str, scheme: str = "https") -> str:
    """The digest (`sha256:…`) that the image's registry gives for the tag. Raises RegistryError."""
    host, _, name = repository.partition("/")
    address = f"{scheme}://{_DOCKER_HUB.get(host, host)}/v2/{name}/manifests/{tag}"
    try:
        answer = _head(address, {})
        if answer.status_code == requests.codes.unauthorized:
            answer = _head(address, {"Authorization": f"Bearer {_anonymous_token(answer)}"})
        answer.raise_for_status()
    except (requests.RequestException, KeyError, ValueError) as error:
        raise RegistryError(f"{repository}:{tag}: {error}") from error
    digest = answer.headers.get("Docker-Content-Digest", "")
    if not digest.startswith("sha256:"):
        raise RegistryError(f"{repository}:{tag}: the registry names no digest")
    return digest


def lock(folder: Path, resolve_image: Resolve, today: date, report: Callable[[str], None]) -> bool:
    """Writes the digest of every image in the YAML files below `folder`. False if any could not be resolved."""
    yaml = cast(Any, YAML())
    yaml.preserve_quotes = True
    yaml.width = 120
    complete = True
    for file in sorted(folder.rglob("*.yaml")):
        document: Any = yaml.load(file)
        changed = False
        for image in _images(document):
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


def _images(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping that has a repository and a tag."""
    if isinstance(node, dict):
        mapping = cast(dict[str, Any], node)
        if {"repository", "tag"} <= mapping.keys():
            yield mapping
        for value in mapping.values():
            yield from _images(value)
    elif isinstance(node, list):
        for value in cast(list[Any], node):
            yield from _images(value)


def _head(address: str, headers: dict[str, str]) -> requests.Response:
    return requests.head(
        address, headers={"Accept": _MANIFEST_TYPES, **headers}, timeout=_TIMEOUT_SECONDS, allow_redirects=True
    )


def _anonymous_token(challenge: requests.Response) -> str:
    """The token that a public registry gives anyone who follows its challenge."""
    scheme, _, parameters = challenge.headers["WWW-Authenticate"].partition(" ")
    if scheme.lower() != "bearer":
        raise ValueError(f"the registry wants {scheme} credentials")
    wanted = parse_keqv_list(parse_http_list(parameters))
    answer = requests.get(wanted.pop("realm"), params=wanted, timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
    body = answer.json()
    return str(body.get("token") or body["access_token"])


def main() -> int:
    complete = lock(RELEASES, resolve, datetime.now(UTC).date(), lambda line: print(line, flush=True))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
