"""A mirror of image registries as containerd asks one (`?ns=docker.io`); it gives everybody a token and counts
pulls."""

from sandbox.google.reply import Asked, Reply, Routes, ok

registry = Routes("/registry")

_DIGEST = "sha256:" + "5a" * 32
_LIMITS = "docker.io"
"""The registry that limits pulls by address; a HEAD request tells how many are left and does not count."""
ANONYMOUS = "anonymous-pull-token"


@registry("GET", "/token")
def token(asked: Asked) -> Reply:
    return ok({"token": ANONYMOUS, "expires_in": 300})


@registry("HEAD", "/v2/{name:path}/manifests/{reference}")
def manifest(asked: Asked) -> Reply:
    host, name, reference = asked.query.get("ns", [""])[0], asked.names["name"], asked.names["reference"]
    if asked.headers.get("Authorization") != f"Bearer {ANONYMOUS}":
        challenge = f'Bearer realm="{asked.address}/registry/token",service="{host}",scope="repository:{name}:pull"'
        return Reply(401, b"", {"WWW-Authenticate": challenge})
    image = f"{host}/{name}"
    if image in asked.situation.limited_images:
        return Reply(429, b"", {"Retry-After": "3600"})
    if image in asked.situation.missing_images:
        return Reply(404, b"")
    left = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": f"{asked.situation.pulls_left};w=21600"}
    digest = reference if reference.startswith("sha256:") else _DIGEST
    return Reply(200, b"", {"Docker-Content-Digest": digest, **(left if host == _LIMITS else {})})
