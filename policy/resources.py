"""The resources that a rule sees, with inputs that may not be known yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

PULUMI_UNKNOWN = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""Pulumi's marks for values that are only known after an update; they never changed since its first release."""
# The policy host and our own recorder write the last one.
_UNKNOWN_MARKS = PULUMI_UNKNOWN | {"[unknown]"}
SECRET_MARK = "[secret]"
"""The mark of a secret in an event or in a recorded registration."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource; `properties` are its inputs, under the names that its provider gives them."""

    type: str
    name: str
    urn: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    protect: bool = False

    def get(self, path: str) -> Any:
        """The value at a dotted path; None if there is none, or if it is not known."""
        return value_at(self.properties, path)

    def unknown(self, path: str) -> bool:
        """Whether the value at a path, or one around it, is not known yet."""
        value: Any = self.properties
        for part in path.split("."):
            if is_unknown(value):
                return True
            value = cast(Mapping[str, Any], value).get(part) if isinstance(value, Mapping) else None
        return is_unknown(value)

    @property
    def in_kubernetes(self) -> bool:
        return self.type.startswith("kubernetes:")

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """All resources of a stack, or the one that a rule is asked about."""

    name: str
    resources: tuple[Resource, ...] = ()

    @property
    def production(self) -> bool:
        """Whether its name says so: `production`, `prod`, or one of them with more words joined by hyphens."""
        return bool({"production", "prod"} & set(self.name.split("-")))

    @property
    def protected(self) -> bool:
        """Whether it is a production stack, or has a protected resource."""
        return self.production or any(resource.protect for resource in self.resources)


def value_at(value: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast(Mapping[str, Any], value).get(part)
    return None if is_unknown(value) else value


def is_unknown(value: Any) -> bool:
    return isinstance(value, str) and value in _UNKNOWN_MARKS


def items(value: Any) -> list[Any]:
    """The known elements of a list; none if the value is not a list."""
    return [item for item in cast(list[Any], value) if not is_unknown(item)] if isinstance(value, list) else []


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """All known strings in a value, each with its path."""
    match value:
        case str():
            if not is_unknown(value):
                yield path, value
        case Mapping():
            for key, item in cast(Mapping[str, Any], value).items():
                yield from strings(item, f"{path}.{key}" if path else str(key))
        case list():
            for index, item in enumerate(cast(list[Any], value)):
                yield from strings(item, f"{path}[{index}]")
        case _:
            return


def pod_specs(value: Any) -> Iterator[Mapping[str, Any]]:
    """All pod specs in a manifest of any kind: objects with a list of `containers`."""
    if isinstance(value, Mapping):
        mapping = cast(Mapping[str, Any], value)
        if isinstance(mapping.get("containers"), list):
            yield mapping
        for item in mapping.values():
            yield from pod_specs(item)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from pod_specs(item)


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """The containers of all pods that the object describes, including those that run first."""
    if not resource.in_kubernetes or resource.kind == "CustomResourceDefinition":
        return
    for spec in pod_specs(resource.properties):
        for container in (*items(spec.get("initContainers")), *items(spec.get("containers"))):
            if isinstance(container, Mapping):
                yield cast(Mapping[str, Any], container)
