"""Hugging Face's hub: whom a token belongs to, which models and revisions exist, and which of them are gated."""

import hashlib
import re

from sandbox.google.reply import Asked, Reply, Routes, ok

hub = Routes("/hub")

# An account must first accept the licence of these repositories, as their pages said on 2026-11-24.
_GATED = re.compile(r"meta-llama/.+|google/gemma-3-.+|mistralai/(Mistral-7B|Mixtral).+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


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
    known = revision == "main" or _COMMIT.fullmatch(revision) or re.fullmatch(r"v?\d[\w.-]*", revision)
    if not known or revision in asked.situation.missing_revisions:
        return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return None


@hub("GET", "/api/models/{owner}/{model}/revision/{revision}")
def model(asked: Asked) -> Reply:
    refused = _missing(asked)
    if refused or _bad_token(asked):
        return refused or Reply(401, b'{"error":"Invalid credentials in Authorization header"}')
    repository = f"{asked.names['owner']}/{asked.names['model']}"
    commit = hashlib.sha1(repository.encode(), usedforsecurity=False).hexdigest()
    return ok({"id": repository, "sha": commit, "gated": "manual" if _GATED.fullmatch(repository) else False})


@hub("HEAD", "/{owner}/{model}/resolve/{revision}/{file}")
def file(asked: Asked) -> Reply:
    refused = _missing(asked)
    if refused or _bad_token(asked):
        return refused or Reply(401, b"")
    repository = f"{asked.names['owner']}/{asked.names['model']}"
    if _GATED.fullmatch(repository):
        accepted = repository not in asked.situation.licences_not_accepted
        if _token(asked) is None or not accepted:
            return _refused(401 if _token(asked) is None else 403, "GatedRepo", "Access to model is restricted")
    # The files are on another host, and a client that follows must not send the token there.
    return Reply(302, b"", {"Location": "https://cdn-lfs.example/file", "X-Repo-Commit": "main"})
