"""The services (APIs) of a project: they are enabled, and before that nothing of them works."""

import re

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.store import SERVICE, State
from sandbox.cloud.values import Properties

# A new project has these services.
ALWAYS_ENABLED = frozenset({"cloudapis.googleapis.com", "serviceusage.googleapis.com", "storage.googleapis.com"})

_TITLES = {
    "artifactregistry.googleapis.com": "Artifact Registry API",
    "compute.googleapis.com": "Compute Engine API",
    "container.googleapis.com": "Kubernetes Engine API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "secretmanager.googleapis.com": "Secret Manager API",
}

rules = Rules()


def disabled_service(state: State, project: str, service: str) -> str | None:
    """The refusal of a call to a service that the project has not enabled."""
    if service in ALWAYS_ENABLED or f"{project}/{service}" in state.services:
        return None
    return (
        f"Error 403: {_TITLES.get(service, service)} has not been used in project {project} before or it is disabled. "
        f"Enable it by visiting https://console.developers.google.com/apis/api/{service}/overview?project={project} "
        "then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems "
        "and retry., accessNotConfigured"
    )


@rules("service-name", "terraform-provider-google, resource_google_project_service.go", Stage.CHECK)
def is_a_domain(request: Request) -> str | None:
    service = request.inputs.text("service")
    if service is None or re.fullmatch(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+", service):
        return None
    return f"expected {service} to be a domain like serviceusage.googleapis.com"


@rules("service-in-use", "Service Usage API, services.disable with checkIfServiceHasUsage", Stage.DELETE)
def has_no_users(request: Request) -> str | None:
    # It would be a mistake to disable Compute Engine while machines run; by default the provider leaves services
    # enabled.
    service = request.inputs.text("service")
    if _stays_enabled(request.inputs):
        return None
    for id_, record in request.state.resources.items():
        if _SERVICE_OF.get(record.token.split("/")[0]) == service and id_.startswith(f"projects/{request.project}/"):
            return (
                f"Error 400: The service {service} is depended on by or has usage: '{id_}'; "
                "disable dependent services or remove what uses it first., failedPrecondition"
            )
    return None


_SERVICE_OF = {"gcp:compute": "compute.googleapis.com", "gcp:container": "container.googleapis.com"}


def _stays_enabled(inputs: Properties) -> bool:
    """Whether the service stays enabled, as the provider leaves it unless the program says otherwise."""
    return not inputs.flag("disableOnDestroy")


SERVICE_KIND = Kind(
    token=SERVICE,
    service="serviceusage.googleapis.com",
    identify=lambda request: f"{request.project}/{request.inputs.text('service')}",
    rules=tuple(rules.all),
    compute=lambda request: {"project": request.project},
    name_property="service",
    autonamed=False,
    adopts=True,
    remains=_stays_enabled,
)
