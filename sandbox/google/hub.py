"""Hugging Face's hub: whom a token belongs to, which models and revisions exist, and which of them are gated."""

from sandbox import checkpoints
from sandbox.google.reply import Asked, Reply, Routes, ok

hub = Routes("/hub")


def _refused(status: int, code: str, message: str) -> Reply:
    """A refusal of the hub, which gives the reason in headers."""
    return Reply(status, b'{"error":"refused"}', {"X-Error-Code": code, "X-Error-Message": message})


def _token(asked: Asked) -> str | None:
    return asked.headers.get("Authorization")


def _bad_token(asked: Asked) -> bool:
    return _token(asked) is not None and not asked.situation.token_is_valid


@hub("GET", "/api/whoami-v2")
def whoami(asked: Asked) -> Reply:
    if _token(asked) is None or _bad_token(asked):
        return Reply(401, b'{"error":"Invalid user token."}')
    return ok({"type": "user", "name": "sandbox", "auth": {"type": "access_token", "accessToken": {"role": "read"}}})


def _missing(asked: Asked) -> Reply | None:
    repository = f"{asked.names['owner']}/{asked.names['model']}"
    if repository in asked.situation.missing_models:
        # The hub does not tell whether a private repository exists.
        return _refused(401 if _token(asked) is None else 404, "RepoNotFound", "Repository not found")
    revision = asked.names["revision"]
    if checkpoints.commit(repository, revision) is None or revision in asked.situation.missing_revisions:
        return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return None


@hub("GET", "/api/models/{owner}/{model}/revision/{revision}")
def model(asked: Asked) -> Reply:
    refused = _missing(asked)
    if refused or _bad_token(asked):
        return refused or Reply(401, b'{"error":"Invalid credentials in Authorization header"}')
    repository = f"{asked.names['owner']}/{asked.names['model']}"
    commit = checkpoints.commit(repository, asked.names["revision"])
    return ok({"id": repository, "sha": commit, "gated": "manual" if checkpoints.gated(repository) else False})


@hub("HEAD", "/{owner}/{model}/resolve/{revision}/{file}")
def file(asked: Asked) -> Reply:
    refused = _missing(asked)
    if refused or _bad_token(asked):
        return refused or Reply(401, b"")
    repository = f"{asked.names['owner']}/{asked.names['model']}"
    if checkpoints.gated(repository):
        accepted = repository not in asked.situation.licences_not_accepted
        if _token(asked) is None or not accepted:
            return _refused(401 if _token(asked) is None else 403, "GatedRepo", "Access to model is restricted")
    # The files are on another host, and a client that follows must not send the token there.
    return Reply(302, b"", {"Location": "https://cdn-lfs.example/file", "X-Repo-Commit": "main"})
