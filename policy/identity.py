"""Rules for identities: nodes and people have accounts of their own, with few rights and without keys."""

from collections.abc import Iterable
from typing import Any

from policy.resource_types import ACCOUNT_KEY, CLUSTER, IAM_BINDING, IAM_MEMBER, NODE_POOL
from policy.resources import Resource, Stack, items
from policy.rule import Level, Rule, stack_of

_DEFAULT_SUFFIX = "-compute@developer.gserviceaccount.com"
_BROAD = frozenset({"roles/owner", "roles/editor", "roles/container.admin", "roles/iam.serviceAccountTokenCreator"})
_ANYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})


def _default_account(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type not in (NODE_POOL, CLUSTER):
        return
    path = "nodeConfig.serviceAccount"
    if resource.unknown(path):
        return
    account = resource.get(path)
    # If a cluster's first pool is removed at once, its other pools may name the account.
    if resource.type == CLUSTER and account is None and resource.get("removeDefaultNodePool"):
        return
    if account in (None, "", "default") or str(account).endswith(_DEFAULT_SUFFIX):
        yield f"{path} is the project's default account, which may do almost anything; make one for the nodes"


def _workload_identity(resource: Resource, _: Stack) -> Iterable[str]:
    path = "nodeConfig.workloadMetadataConfig.mode"
    if resource.type == NODE_POOL and resource.get(path) != "GKE_METADATA" and not resource.unknown(path):
        yield f"lets its pods act as the node; write {path}: GKE_METADATA"


def _broad_role(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type not in (IAM_MEMBER, IAM_BINDING):
        return
    if resource.get("role") in _BROAD:
        yield f"gives {resource.get('role')}; give the roles that are needed, one by one"
    for member in (resource.get("member"), *items(resource.get("members"))):
        if member in _ANYBODY:
            yield f"gives a role to {member}; name who needs it"


def _account_key(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type == ACCOUNT_KEY:
        yield "makes a key that never ends; use workload identity"


def _example(type_: str, **properties: Any) -> Stack:
    return stack_of(Resource(type=type_, name="example", properties=properties))


_OWN = "nodes@p.iam.gserviceaccount.com"
_METADATA = {"workloadMetadataConfig": {"mode": "GKE_METADATA"}}

RULES = (
    Rule(
        id="identity-no-default-account",
        level=Level.MANDATORY,
        reason="In many projects the default account of Compute Engine is an editor of everything.",
        check=_default_account,
        failing=_example(NODE_POOL, cluster="own", nodeConfig={"serviceAccount": "default", **_METADATA}),
        passing=_example(NODE_POOL, cluster="own", nodeConfig={"serviceAccount": _OWN, **_METADATA}),
    ),
    Rule(
        id="identity-workload-identity",
        level=Level.MANDATORY,
        reason="Without GKE's metadata server every pod can take the node's own credentials.",
        check=_workload_identity,
        failing=_example(NODE_POOL, cluster="own", nodeConfig={"serviceAccount": _OWN}),
        passing=_example(NODE_POOL, cluster="own", nodeConfig={"serviceAccount": _OWN, **_METADATA}),
    ),
    Rule(
        id="identity-no-broad-role",
        level=Level.MANDATORY,
        reason="A role over the whole project turns a mistake in one pod into one in all of it.",
        check=_broad_role,
        failing=_example(IAM_MEMBER, project="p", role="roles/editor", member=f"serviceAccount:{_OWN}"),
        passing=_example(IAM_MEMBER, project="p", role="roles/logging.logWriter", member=f"serviceAccount:{_OWN}"),
    ),
    Rule(
        id="identity-no-account-key",
        level=Level.MANDATORY,
        reason="A key of an account is a password that ends up in a state, a laptop and a backup.",
        check=_account_key,
        failing=_example(ACCOUNT_KEY, serviceAccountId=_OWN),
        passing=_example("gcp:serviceaccount/account:Account", accountId="nodes"),
    ),
)
