"""Secret Manager: secrets and the states of their versions. Their contents play no role here."""

from sandbox.cloud.situation import Secret
from sandbox.google.projects import permitted, project_number
from sandbox.google.reply import Asked, Reply, Routes, not_found, ok

secrets = Routes("/secretmanager/v1", "secretmanager.googleapis.com")


def _known(asked: Asked) -> Secret | None:
    """The secret that a request names. People make secrets outside of any program, so any secret exists unless the
    scenario lists them."""
    if asked.situation.secrets is None:
        return Secret(versions={asked.names.get("version", "1"): "ENABLED"})
    return asked.situation.secrets.get(asked.names["secret"])


def _id(asked: Asked) -> str:
    return f"projects/{project_number(asked.names['project'])}/secrets/{asked.names['secret']}"


@secrets("GET", "/projects/{project}/secrets/{secret}", "secretmanager.secrets.get")
def secret(asked: Asked) -> Reply:
    if _known(asked) is None:
        return not_found(_id(asked))
    return ok({"name": _id(asked), "replication": {"automatic": {}}, "createTime": "2026-11-01T08:00:00Z"})


@secrets("GET", "/projects/{project}/secrets/{secret}/versions/{version}", "secretmanager.versions.get")
def version(asked: Asked) -> Reply:
    found, wanted = _known(asked), asked.names["version"]
    if found is None or not found.versions:
        return not_found(_id(asked))
    if wanted == "latest":
        wanted = max(found.versions, key=lambda number: int(number) if number.isdigit() else 0)
    if wanted not in found.versions:
        return not_found(f"{_id(asked)}/versions/{wanted}")
    number = "1" if wanted == "latest" else wanted
    return ok({"name": f"{_id(asked)}/versions/{number}", "state": found.versions[wanted]})


@secrets("POST", "/projects/{project}/secrets/{secret}:testIamPermissions")
def allowed(asked: Asked) -> Reply:
    return ok(permitted(asked.body, asked.situation))
