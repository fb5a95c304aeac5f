"""Checks the provider's own settings: its project and its region."""

import re
from collections.abc import Mapping

from sandbox.cloud import schema
from sandbox.cloud.kinds import Defaults
from sandbox.cloud.schema import Failure
from sandbox.cloud.tables import Locations
from sandbox.cloud.values import Properties, Value

_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]")

# These keys are the Pulumi engine's own.
_ENGINES = frozenset({"version", "pluginDownloadURL", "__internal"})


def check(values: Mapping[str, Value], locations: Locations) -> list[Failure]:
    """The mistakes in a provider's configuration, whose values the Pulumi engine sends as strings."""
    fields = schema.fields(schema.provider_arguments_class())
    failures = [
        Failure(name, schema.unknown_property(name, fields))
        for name in values
        if name not in fields and name not in _ENGINES
    ]
    properties = Properties(values)
    project, region, zone = (properties.text(name) for name in ("project", "region", "zone"))
    if project and not _PROJECT.fullmatch(project):
        failures.append(
            Failure(
                "project",
                f"`{project}` is no project id: 6 to 30 lowercase letters, digits and hyphens, "
                "starting with a letter and not ending with a hyphen",
            )
        )
    if region and region not in locations.regions:
        failures.append(Failure("region", f"`{region}` is no region of Google Cloud's"))
    if zone and not locations.is_zone(zone):
        failures.append(Failure("zone", f"`{zone}` is no zone of Google Cloud's"))
    return failures


def defaults(values: Mapping[str, Value]) -> Defaults:
    properties = Properties(values)
    return Defaults(properties.text("project"), properties.text("region"), properties.text("zone"))
