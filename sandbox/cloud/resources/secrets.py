"""Members of the IAM policies of Secret Manager's secrets. The contents of secrets play no role here."""

from sandbox.cloud.kinds import Kind, Request
from sandbox.cloud.references import relative
from sandbox.cloud.resources import common
from sandbox.cloud.resources.identity import member_rules


def _secret_id(request: Request) -> str:
    secret = relative(request.inputs.text("secretId") or "")
    return secret if secret.startswith("projects/") else f"projects/{request.project}/secrets/{secret}"


# People make secrets outside of any program, so a secret that a program names is assumed to exist.
SECRET_MEMBER_KIND = Kind(
    token="gcp:secretmanager/secretIamMember:SecretIamMember",
    service="secretmanager.googleapis.com",
    identify=lambda request: f"{_secret_id(request)}/{request.inputs.text('role')}/{request.inputs.text('member')}",
    rules=tuple(member_rules.all),
    compute=lambda request: {"project": request.project, "etag": common.short_hash(request.id, 11) + "="},
    computed=frozenset({"etag"}),
    autonamed=False,
    adopts=True,
)
