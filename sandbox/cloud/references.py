"""Google accepts several spellings of a resource's name; these functions bring them to the one id that the state
uses."""

import re

_LINK = re.compile(
    r"^(?:https?:)?//(?:www\.|compute\.|container\.|iam\.)?googleapis\.com/(?:(?:compute|v\d)\S*?/)?(?=projects/)"
)
_ID = re.compile(r"projects/(?P<project>[^/]+)/(?P<rest>.+)")

COMPUTE = "https://www.googleapis.com/compute/v1/"


def relative(spelling: str) -> str:
    """A self link or full resource name as `projects/...`; anything else unchanged."""
    return _LINK.sub("", spelling)


def global_id(spelling: str, collection: str, project: str) -> str:
    """The id of a global resource, from its name, `global/...`, id or self link."""
    spelling = relative(spelling)
    if spelling.startswith("projects/"):
        return spelling
    return f"projects/{project}/global/{collection}/{last(spelling)}"


def regional_id(spelling: str, collection: str, project: str, region: str | None) -> str:
    """The id of a regional resource, from its name, `regions/...`, id or self link."""
    spelling = relative(spelling)
    if spelling.startswith("projects/"):
        return spelling
    if spelling.startswith("regions/"):
        return f"projects/{project}/{spelling}"
    return f"projects/{project}/regions/{region}/{collection}/{spelling}"


def last(spelling: str) -> str:
    """The name at the end of any spelling."""
    return spelling.rsplit("/", 1)[-1]


def project_of(id_: str) -> str:
    match = _ID.match(id_)
    return match["project"] if match else ""


def segment(id_: str, collection: str) -> str | None:
    """The part behind a collection in an id: `segment("projects/p/regions/r/x/y", "regions")` is `r`."""
    parts = id_.split("/")
    return parts[parts.index(collection) + 1] if collection in parts[:-1] else None


def same_reference(one: str, other: str) -> bool:
    """Whether two spellings can mean the same resource, as the provider compares self links."""
    one, other = relative(one), relative(other)
    shorter, longer = sorted((one, other), key=len)
    return one == other or longer.endswith("/" + shorter)
