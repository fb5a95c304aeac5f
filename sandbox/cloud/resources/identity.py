"""Service accounts, and members of their IAM policies and of a project's."""

import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import last, relative
from sandbox.cloud.resources import common
from sandbox.cloud.resources.common import CLUSTER, SERVICE_ACCOUNT
from sandbox.cloud.store import State
from sandbox.cloud.values import Value

PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"

_IAM = "IAM API reference"
_ACCOUNT_ID = r"^[a-z](?:[-a-z0-9]{4,28}[a-z0-9])$"
_ROLE = re.compile(r"(roles/[A-Za-z0-9._]+|(projects|organizations)/[^/]+/roles/[A-Za-z0-9._]+)")
_PREFIXES = (
    "user:",
    "group:",
    "domain:",
    "serviceAccount:",
    "principal:",
    "principalSet:",
    "deleted:",
    "projectOwner:",
    "projectEditor:",
    "projectViewer:",
)
_POOL_MEMBER = re.compile(
    r"serviceAccount:(?P<pool>[^/\[]+\.svc\.id\.goog)\[(?P<namespace>[^/]+)/(?P<account>[^\]]+)\]"
)

account_rules = Rules()


@account_rules("account-id", "terraform-provider-google, verify/validation.go", Stage.CHECK)
def account_id_is_legal(request: Request) -> str | None:
    account = request.inputs.text("accountId")
    if account is None or re.fullmatch(_ACCOUNT_ID, account):
        return None
    return f'"account_id" ("{account}") doesn\'t match regexp "{_ACCOUNT_ID}"'


def _email(request: Request) -> str:
    return f"{request.inputs.text('accountId')}@{request.project}.iam.gserviceaccount.com"


def account_exists(state: State, email: str) -> bool:
    """Whether an account of this cloud exists; accounts of other domains are assumed to exist."""
    if not email.endswith(".iam.gserviceaccount.com"):
        return True
    project = email.split("@")[1].removesuffix(".iam.gserviceaccount.com")
    return f"projects/{project}/serviceAccounts/{email}" in state.resources


def _account_outputs(request: Request) -> dict[str, Value]:
    email = _email(request)
    return {
        "project": request.project,
        "email": email,
        "member": f"serviceAccount:{email}",
        "name": request.id,
        "uniqueId": common.number_of(request.id, 21),
        "disabled": request.inputs.flag("disabled") or False,
    }


# The address is made of project and account id, so a preview knows it; the provider says so too.
ACCOUNT_KIND = Kind(
    token=SERVICE_ACCOUNT,
    service="iam.googleapis.com",
    identify=lambda request: f"projects/{request.project}/serviceAccounts/{_email(request)}",
    rules=tuple(account_rules.all),
    compute=_account_outputs,
    computed=frozenset({"name", "uniqueId"}),
    name_property="accountId",
)


member_rules = Rules()


@member_rules("iam-role", _IAM, Stage.CHECK)
def role_is_legal(request: Request) -> str | None:
    role = request.inputs.text("role")
    if role is None or _ROLE.fullmatch(role):
        return None
    return f"Error 400: Role {role} is not supported for this resource., badRequest"


@member_rules("iam-member-prefix", _IAM, Stage.CHECK)
def member_has_a_type(request: Request) -> str | None:
    member = request.inputs.text("member")
    if member is None or member.startswith(_PREFIXES) or member in ("allUsers", "allAuthenticatedUsers"):
        return None
    return (
        f"Error 400: The member {member} is of an unknown type. Please set a valid type prefix for the member. "
        f"Types are {', '.join(prefix.rstrip(':') for prefix in _PREFIXES)}., badRequest"
    )


@member_rules("iam-member-exists", _IAM, Stage.CREATE)
def member_exists(request: Request) -> str | None:
    email = (request.inputs.text("member") or "").removeprefix("serviceAccount:")
    if not request.inputs["member"] or email == request.inputs.text("member") or "[" in email:
        return None
    return (
        None
        if account_exists(request.state, email)
        else f"Error 400: Service account {email} does not exist., badRequest"
    )


@member_rules("iam-identity-pool", "cloud.google.com/kubernetes-engine/docs/how-to/workload-identity", Stage.CREATE)
def identity_pool_exists(request: Request) -> str | None:
    # Google makes the pool with the project's first cluster that has workload identity.
    match = _POOL_MEMBER.fullmatch(request.inputs.text("member") or "")
    if match is None:
        return None
    pools = {r.properties.text("workloadIdentityConfig.workloadPool") for _, r in request.state.of(CLUSTER)}
    if match["pool"] in pools:
        return None
    return (
        f"Error 400: Identity Pool does not exist ({match['pool']}). "
        "Please check that you specified a valid resource name as returned in the `name` attribute in the "
        "configuration API., badRequest"
    )


def _etag(request: Request) -> dict[str, Value]:
    return {"etag": common.short_hash(request.id, 11) + "="}


PROJECT_MEMBER_KIND = Kind(
    token=PROJECT_MEMBER,
    service="cloudresourcemanager.googleapis.com",
    identify=lambda request: f"{request.project}/{request.inputs.text('role')}/{request.inputs.text('member')}",
    rules=tuple(member_rules.all),
    compute=_etag,
    computed=frozenset({"etag"}),
    autonamed=False,
    adopts=True,
)


account_member_rules = Rules()


@account_member_rules("account-member-account", _IAM, Stage.CREATE)
def account_of_member_exists(request: Request) -> str | None:
    id_ = _account_id(request)
    return (
        None
        if account_exists(request.state, last(id_))
        else f"Error 404: Unknown service account {last(id_)}, notFound"
    )


def _account_id(request: Request) -> str:
    return relative(request.inputs.text("serviceAccountId") or "")


ACCOUNT_MEMBER_KIND = Kind(
    token=ACCOUNT_MEMBER,
    service="iam.googleapis.com",
    identify=lambda request: f"{_account_id(request)}/{request.inputs.text('role')}/{request.inputs.text('member')}",
    rules=(*member_rules.all, *account_member_rules.all),
    compute=_etag,
    computed=frozenset({"etag"}),
    autonamed=False,
    adopts=True,
)
