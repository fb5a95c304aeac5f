"""Checks of the project, its APIs, and the caller's permissions in it."""

from collections.abc import Iterator

from catalog.permission import permissions
from planning.plan import ClusterNetworkPlan, ClusterPlan, PlatformPlan
from verification.doctor.google import Api, Google, Missing
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.doctor.web import Unreachable
from verification.results import CheckFailed, NotObservable

_ENABLE = "serviceusage.services.enable"
_ELSEWHERE = ("projects/service", "secretmanager/secretIamMember")
"""Kinds whose permissions another row checks: where an API is off, and on the secret itself."""


def service_states(google: Google, services: list[str]) -> dict[str, bool]:
    """Whether each service is enabled. Raises CheckFailed, NotObservable."""
    names = [f"projects/{google.project}/services/{service}" for service in services]
    answer = google.get(Api.SERVICES, f"projects/{google.project}/services:batchGet", names=names)
    return {each["name"].rpartition("/")[2]: each["state"] == "ENABLED" for each in answer["services"]}


def project_number(google: Google) -> str:
    """The number of the project. Raises CheckFailed if the caller sees no such project, NotObservable if nobody
    answers."""
    try:
        found = google.get(Api.PROJECTS, f"projects/{google.project}")
    except Unreachable as error:
        raise CheckFailed(f"{error}: is there a way out to Google, and a proxy on it?") from error
    except (Missing, NotObservable) as error:
        if isinstance(error, Missing) or str(error).startswith("no permission"):
            raise CheckFailed(
                f"there is no project {google.project}, or you may not see it: write its id with "
                "`pulumi config set inference-platform:project`, or have somebody give you roles/browser"
            ) from error
        raise
    if found.get("state") != "ACTIVE":
        raise CheckFailed(f"it is {found.get('state')}: `gcloud projects undelete {google.project}`, or take another")
    return str(found["name"]).removeprefix("projects/")


def api_questions(look: Look, states: dict[str, bool] | NotObservable | CheckFailed) -> Iterator[Question]:
    for service in look.plan.services:
        yield Question(service, Row.API, lambda service=service: _api(look, service, states))


def _api(look: Look, service: str, states: dict[str, bool] | NotObservable | CheckFailed) -> str:
    if not isinstance(states, dict):
        raise NotObservable(str(states)) from states
    if states[service]:
        return "on"
    if look.reads_only:
        raise NotObservable("off; the update turns it on if its account may")
    wanted = f"`gcloud services enable {service}`"
    allowed = look.once(_ENABLE, lambda: look.google.allowed(Api.PROJECTS, f"projects/{look.project}", [_ENABLE]))
    if _ENABLE not in allowed:
        raise CheckFailed(f"off, and you may not turn it on: have the project's owner run {wanted}")
    return "off; the first up turns it on"


def permission_questions(look: Look) -> Iterator[Question]:
    yield Question(look.project, Row.PERMISSIONS, lambda: _permissions(look))


def _permissions(look: Look) -> str:
    if look.reads_only:
        raise NotObservable("not asked: who runs this does not make the stack (--reads-only)")
    kinds = made_kinds(look.plan) - set(_ELSEWHERE)
    role_of = {name: each.role for each in permissions() if each.kind in kinds for name in each.permissions}
    allowed = look.google.allowed(Api.PROJECTS, f"projects/{look.project}", sorted(role_of))
    lacking = sorted(role_of.keys() - allowed)
    if lacking:
        roles = sorted({role_of[name] for name in lacking})
        raise CheckFailed(f"you lack {', '.join(lacking)}: have somebody give you {', '.join(roles)}")
    return f"all {len(role_of)} that making the stack needs"


def made_kinds(plan: PlatformPlan) -> set[str]:
    """The kinds of Google's resources that the stack makes, and `kubernetes` for the objects in its cluster."""
    kinds = {"projects/service", "kubernetes"}
    if plan.image_mirror and not plan.image_mirror.exists:
        kinds |= {"artifactregistry/repository"}
    if plan.weights_bucket:
        kinds |= {"storage/bucketIAMMember", "serviceaccount/account", "serviceaccount/iAMMember"}
        if not plan.weights_bucket.exists:
            kinds.add("storage/bucket")
    cluster = plan.cluster
    if isinstance(cluster, ClusterPlan):
        kinds |= {"container/cluster", "container/nodePool", "serviceaccount/account", "projects/iAMMember"}
        brings_pools = True
    else:
        brings_pools = not all(pool.exists for pool in plan.node_pools)
        if cluster.node_identity is not None:
            kinds |= {"serviceaccount/account", "projects/iAMMember"}
        if brings_pools:
            kinds.add("container/nodePool")
    if isinstance(plan.network, ClusterNetworkPlan):
        kinds |= {"compute/network", "compute/subnetwork", "compute/router", "compute/routerNat"}
    for vpc in plan.fabric.vpcs if plan.fabric and brings_pools else ():
        kinds.add("compute/network")
        if any(network.subnetwork for network in vpc.pod_networks):
            kinds.add("compute/subnetwork")
        if vpc.firewall:
            kinds.add("compute/firewall")
    if brings_pools and any(pool.placement and pool.placement.policy for pool in plan.node_pools):
        kinds.add("compute/resourcePolicy")
    if plan.alerts:
        kinds.add("monitoring/alertPolicy")
        if plan.alerts.emails:
            kinds.add("monitoring/notificationChannel")
    if plan.token.secret:
        kinds |= {"serviceaccount/account", "serviceaccount/iAMMember", "secretmanager/secretIamMember"}
    return kinds
