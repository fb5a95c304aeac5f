"""Artifact Registry's repositories, and members of their IAM policies."""

import re
from urllib.parse import urlsplit

from sandbox.cloud.kinds import Kind, Request, Rules, Stage
from sandbox.cloud.references import relative
from sandbox.cloud.resources import common
from sandbox.cloud.resources.identity import member_rules
from sandbox.cloud.values import Value

REPOSITORY = "gcp:artifactregistry/repository:Repository"

SERVICE = "artifactregistry.googleapis.com"

_API = "artifactregistry.v1 discovery document, revision 20261031"
_LOCATIONS = "cloud.google.com/artifact-registry/docs/repositories/repo-locations (2026-11)"
_REMOTE = "cloud.google.com/artifact-registry/docs/repositories/remote-overview (2026-11)"

_ID = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_MULTI_REGIONS = frozenset({"asia", "europe", "us"})
_FORMATS = frozenset(
    {"DOCKER", "MAVEN", "NPM", "APT", "YUM", "GOOGET", "PYTHON", "KFP", "GO", "GENERIC", "RUBY", "CONDA"}
)
_SOURCE_FORMATS = {
    "aptRepository": "APT",
    "dockerRepository": "DOCKER",
    "mavenRepository": "MAVEN",
    "npmRepository": "NPM",
    "pythonRepository": "PYTHON",
    "yumRepository": "YUM",
}
"""The formats to which the sources of remote repositories belong. A common repository says nothing of its format."""

repository_rules = Rules()


@repository_rules("repository-id", _API, Stage.CHECK)
def repository_id_is_legal(request: Request) -> str | None:
    name = request.name
    if not name or _ID.fullmatch(name):
        return None
    return (
        f'Error 400: Invalid repository ID "{name}": it must start with a letter, end with a letter or a number, have '
        "only lowercase letters, numbers and hyphens, and be at most 63 characters long., badRequest"
    )


@repository_rules("repository-location", _LOCATIONS, Stage.CHECK)
def location_is_known(request: Request) -> str | None:
    if request.inputs.unknown("location"):
        return None
    location = _location(request)
    if not location:
        return "Cannot determine location: set in this resource, or set provider-level 'region' or 'zone'."
    if location in _MULTI_REGIONS or location in request.tables.locations.regions:
        return None
    return f"Error 400: Location {location} is not found or access is unauthorized., badRequest"


@repository_rules("repository-format", _API, Stage.CHECK)
def format_is_known(request: Request) -> str | None:
    format_ = request.inputs.text("format")
    if format_ is None or format_.upper() in _FORMATS:
        return None
    return f"Error 400: Invalid value at 'repository.format': \"{format_}\"., badRequest"


@repository_rules("repository-mode", _REMOTE, Stage.CHECK)
def source_goes_with_mode(request: Request) -> str | None:
    inputs = request.inputs
    mode = inputs.text("mode") or "STANDARD_REPOSITORY"
    for wanted, block in (
        ("REMOTE_REPOSITORY", "remoteRepositoryConfig"),
        ("VIRTUAL_REPOSITORY", "virtualRepositoryConfig"),
    ):
        if block in inputs and mode != wanted:
            return f"Error 400: {block} must not be set for a repository of mode {mode}., badRequest"
        if block not in inputs and mode == "REMOTE_REPOSITORY" == wanted:
            return f"Error 400: {block} must be set for a repository of mode {mode}., badRequest"
    return None


@repository_rules("repository-source-format", _REMOTE, Stage.CHECK)
def source_has_the_format(request: Request) -> str | None:
    format_ = (request.inputs.text("format") or "").upper()
    for source, wanted in _SOURCE_FORMATS.items():
        if f"remoteRepositoryConfig.{source}" in request.inputs and format_ != wanted:
            return f"Error 400: {source} is not supported for a repository of format {format_}., badRequest"
    return None


@repository_rules("repository-source-uri", _REMOTE, Stage.CHECK)
def source_is_an_address(request: Request) -> str | None:
    for path in ("commonRepository", "dockerRepository.customRepository"):
        uri = request.inputs.text(f"remoteRepositoryConfig.{path}.uri")
        if uri is None or (urlsplit(uri).scheme == "https" and urlsplit(uri).hostname):
            continue
        if path == "commonRepository" and uri.startswith("projects/"):
            continue
        return f"Error 400: Invalid upstream URI {uri}: it must be an https:// address., badRequest"
    return None


@repository_rules("repository-cleanup", _API, Stage.CHECK)
def recent_versions_are_kept(request: Request) -> str | None:
    for policy in request.inputs.items("cleanupPolicies"):
        if policy["mostRecentVersions"] and policy.text("action") != "KEEP":
            return (
                f'Error 400: Cleanup policy "{policy.text("id")}": most_recent_versions may only be specified with a '
                "Keep action., badRequest"
            )
    return None


def _location(request: Request) -> str:
    recorded = request.before.properties.text("location") if request.before else None
    return request.inputs.text("location") or recorded or request.defaults.region or ""


def _repository_outputs(request: Request) -> dict[str, Value]:
    location, now = _location(request), common.timestamp()
    format_ = (request.inputs.text("format") or "").lower()
    state = request.inputs.text("vulnerabilityScanningConfig.enablementConfig") or "INHERITED"
    return {
        "project": request.project,
        "location": location,
        "name": request.name,
        "registryUri": f"{location}-{format_}.pkg.dev/{request.project}/{request.name}",
        "vulnerabilityScanningConfig": {
            "enablementConfig": state,
            # The scanner is a service of its own, which this cloud has not.
            "enablementState": "SCANNING_DISABLED",
        },
        "createTime": common.keep(request, "createTime", now),
        "updateTime": now,
    }


def _repository_id(request: Request) -> str:
    return f"projects/{request.project}/locations/{_location(request)}/repositories/{request.name}"


REPOSITORY_KIND = Kind(
    token=REPOSITORY,
    service=SERVICE,
    identify=_repository_id,
    rules=tuple(repository_rules.all),
    compute=_repository_outputs,
    computed=frozenset({"createTime", "updateTime"}),
    name_property="repositoryId",
    autonamed=False,
)


member_of_repository_rules = Rules()


@member_of_repository_rules("repository-member-repository", _API, Stage.CREATE)
def repository_exists(request: Request) -> str | None:
    id_ = _repository_of_member(request)
    if request.state.get(REPOSITORY, id_):
        return None
    return f'Error 404: Repository "{id_}" not found., notFound'


def _repository_of_member(request: Request) -> str:
    repository = relative(request.inputs.text("repository") or "")
    if repository.startswith("projects/"):
        return repository
    return f"projects/{request.project}/locations/{_location(request)}/repositories/{repository}"


REPOSITORY_MEMBER_KIND = Kind(
    token="gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    service=SERVICE,
    identify=lambda request: (
        f"{_repository_of_member(request)}/{request.inputs.text('role')}/{request.inputs.text('member')}"
    ),
    rules=(*member_rules.all, *member_of_repository_rules.all),
    compute=lambda request: {
        "project": request.project,
        "location": _location(request),
        "repository": _repository_of_member(request),
        "etag": common.short_hash(request.id, 11) + "=",
    },
    computed=frozenset({"etag"}),
    references=frozenset({"repository"}),
    autonamed=False,
    adopts=True,
)
