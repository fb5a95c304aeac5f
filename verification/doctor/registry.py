"""Asks image registries as a node without credentials would ask them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.request import parse_http_list, parse_keqv_list

from verification.doctor.web import Answer, Web
from verification.results import NotObservable

_ADDRESSES = {"docker.io": "registry-1.docker.io"}
# Ask for an index first: the digest must be that of all architectures.
_MANIFEST_TYPES = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)


@dataclass(frozen=True)
class Manifest:
    """What a registry says of an image without a pull. `pulls_left` and its limit are None if it does not limit
    pulls."""

    status: int
    digest: str | None
    pulls_left: str | None
    pulls: str | None


def split_reference(reference: str) -> tuple[str, str, str]:
    """The host, the name, and the tag or digest of an image."""
    host, _, rest = reference.partition("/")
    name, at, digest = rest.partition("@")
    path, colon, tag = name.rpartition(":")
    if at:
        return host, path if colon else name, digest
    return host, path if colon else name, tag if colon else "latest"


def manifest(web: Web, reference: str, mirror: str | None = None, scheme: str = "https") -> Manifest:
    """The manifest of an image, from its own registry or from a mirror, asked as containerd does. Raises
    NotObservable."""
    host, name, tag = split_reference(reference)
    base = mirror.rstrip("/") if mirror else f"{scheme}://{_ADDRESSES.get(host, host)}"
    parameters = {"ns": host} if mirror else {}
    address = f"{base}/v2/{name}/manifests/{tag}"
    answer = _head(web, address, parameters, {})
    if answer.status == 401:
        answer = _head(web, address, parameters, _anonymous(web, answer))
    return Manifest(
        status=answer.status,
        digest=answer.headers.get("Docker-Content-Digest"),
        pulls_left=_count(answer.headers.get("ratelimit-remaining")),
        pulls=_count(answer.headers.get("ratelimit-limit")),
    )


def _head(web: Web, address: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    return web.ask("HEAD", address, {"Accept": _MANIFEST_TYPES, **headers}, parameters)


def _anonymous(web: Web, challenge: Answer) -> Mapping[str, str]:
    """The header with the token that a public registry gives anyone; empty if it gives none."""
    scheme, _, parameters = challenge.headers.get("WWW-Authenticate", "").partition(" ")
    wanted = parse_keqv_list(parse_http_list(parameters)) if scheme.lower() == "bearer" else {}
    realm = wanted.pop("realm", "")
    if not realm.startswith(("https://", "http://127.0.0.1")):
        return {}
    answer = web.ask("GET", realm, parameters=wanted)
    if answer.status == 429:
        raise NotObservable("the registry gives no more tokens today (429)")
    content = answer.json if answer.status == 200 else {}
    token = str(content.get("token") or content.get("access_token") or "")
    web.hidden.add(token)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _count(header: str | None) -> str | None:
    """The number in a header such as `100;w=21600`."""
    return header.partition(";")[0] if header else None
