"""Service Usage and Resource Manager: enabled APIs, the project, and the caller's permissions."""

from sandbox.cloud.resources.common import number_of
from sandbox.cloud.situation import Situation
from sandbox.google.reply import Asked, Json, Reply, Routes, not_found, ok

services = Routes("/serviceusage/v1")
projects = Routes("/cloudresourcemanager/v3", "cloudresourcemanager.googleapis.com")

_GKE_AGENT = "serviceAccount:service-{number}@container-engine-robot.iam.gserviceaccount.com"
_MACHINES_AGENT = "serviceAccount:{number}@cloudservices.gserviceaccount.com"


def project_number(project: str) -> str:
    return number_of(f"projects/{project}", 12)


@services("GET", "/projects/{project}/services:batchGet", "serviceusage.services.get")
def states(asked: Asked) -> Reply:
    number = project_number(asked.names["project"])
    found: list[Json] = []
    for name in asked.query.get("names", []):
        service = name.rpartition("/")[2]
        state = "DISABLED" if service in asked.situation.disabled else "ENABLED"
        full = f"projects/{number}/services/{service}"
        found.append({"name": full, "parent": f"projects/{number}", "config": {"name": service}, "state": state})
    return ok({"services": found})


@projects("GET", "/projects/{project}", "resourcemanager.projects.get")
def project(asked: Asked) -> Reply:
    id_ = asked.names["project"]
    if asked.lacks(f"projects/{id_}"):
        return not_found(f"projects/{id_}")
    return ok({"name": f"projects/{project_number(id_)}", "projectId": id_, "state": "ACTIVE", "displayName": id_})


@projects("POST", "/projects/{project}:testIamPermissions")
def allowed(asked: Asked) -> Reply:
    return ok(permitted(asked.body, asked.situation))


def permitted(body: Json, situation: Situation) -> Json:
    """The permissions that the caller has; like Google, it leaves the field out if there are none."""
    left = [name for name in body["permissions"] if name not in situation.denied]
    return {"permissions": left} if left else {}


@projects("POST", "/projects/{project}:getIamPolicy", "resourcemanager.projects.getIamPolicy")
def policy(asked: Asked) -> Reply:
    """The IAM policy of a Shared VPC's host project, as its owner set it for the service project."""
    number = project_number(asked.project)
    agents = [each.format(number=number) for each in (_GKE_AGENT, _MACHINES_AGENT)]
    bindings = [
        {"role": "roles/compute.networkUser", "members": agents},
        {"role": "roles/container.hostServiceAgentUser", "members": agents[:1]},
    ]
    kept = [each for each in bindings if each["role"] not in asked.situation.agents_lack]
    return ok({"version": 1, "etag": "BwXh0Zk1k5A=", "bindings": kept})
