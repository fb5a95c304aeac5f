"""Checks the secret with the Hugging Face token: it exists and access to it can be granted. Its content is never
read."""

from collections.abc import Iterator

from planning.plan import SecretManagerSecret
from verification.doctor.google import Api, Missing
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.results import CheckFailed, NotObservable

_GIVING = ["secretmanager.secrets.getIamPolicy", "secretmanager.secrets.setIamPolicy"]


def secret_questions(look: Look) -> Iterator[Question]:
    secret = look.plan.token.secret
    if secret is None:
        return
    yield Question(secret.secret, Row.SECRET, lambda: _there(look, secret))
    yield Question(secret.secret, Row.SECRET_VERSION, lambda: _version(look, secret))
    yield Question(secret.secret, Row.SECRET_READER, lambda: _reader(look, secret))


def _path(look: Look, secret: SecretManagerSecret) -> str:
    return f"projects/{secret.project or look.project}/secrets/{secret.secret}"


def _there(look: Look, secret: SecretManagerSecret) -> str:
    path = _path(look, secret)
    try:
        look.once(path, lambda: look.google.get(Api.SECRETS, path))
    except Missing:
        raise CheckFailed(
            f"there is none: `gcloud secrets create {secret.secret} --replication-policy=automatic "
            f"--project={secret.project or look.project}`, then add a version"
        ) from None
    return path


def _version(look: Look, secret: SecretManagerSecret) -> str:
    path = _path(look, secret)
    try:
        look.once(path, lambda: look.google.get(Api.SECRETS, path))
    except Missing:
        raise NotObservable("there is no secret that could have one") from None
    try:
        found = look.google.get(Api.SECRETS, f"{path}/versions/{secret.version}")
    except Missing:
        raise CheckFailed(
            f"it has no version {secret.version}: `gcloud secrets versions add {secret.secret} --data-file=FILE`, and "
            "write that version in token.secretManager.version"
        ) from None
    if found.get("state") != "ENABLED":
        raise CheckFailed(
            f"version {secret.version} is {found.get('state')}: `gcloud secrets versions enable {secret.version} "
            f"--secret={secret.secret}`, or write another version"
        )
    return f"{str(found['name']).rpartition('/')[2]} is enabled"


def _reader(look: Look, secret: SecretManagerSecret) -> str:
    if look.reads_only:
        raise NotObservable("not asked: who runs this does not make the stack (--reads-only)")
    path = _path(look, secret)
    try:
        look.once(path, lambda: look.google.get(Api.SECRETS, path))
        lacking = set(_GIVING) - look.google.allowed(Api.SECRETS, path, _GIVING)
    except Missing:
        raise NotObservable("there is no secret that could have any") from None
    if lacking:
        raise CheckFailed(
            f"you may not let the servers' account {secret.account_id} read it, for you lack "
            f"{', '.join(sorted(lacking))}: have its owner give you roles/secretmanager.admin on {secret.secret}"
        )
    return f"you may let the servers' account {secret.account_id} read it"
