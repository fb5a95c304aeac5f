"""Finds what Google's provider refuses before it asks Google; its schema says all of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from sandbox.cloud.provider_schema import Field, ProviderSchema, provider_schema
from sandbox.cloud.schema import Failure
from sandbox.cloud.values import UNKNOWN, Value, join_path


def check(token: str, inputs: Mapping[str, Value]) -> list[Failure]:
    """All properties that are missing, not legal, or in conflict with each other. Raises KeyError for an unknown
    kind."""
    return list(_Check(provider_schema(token), inputs).block("", inputs, ""))


class _Check:
    def __init__(self, schema: ProviderSchema, inputs: Mapping[str, Value]) -> None:
        self._schema = schema
        self._inputs = inputs

    def block(self, block: str, values: Mapping[str, Value], path: str) -> Iterator[Failure]:
        """Checks one object: `block` is its path in the schema, `path` its place among the inputs."""
        for name, field in self._schema.children.get(block, {}).items():
            where, bare = join_path(path, name), f"{block}.{name}" if block else name
            value = values.get(name)
            if value is None:
                if field.required:
                    yield Failure(where, "missing required property")
            elif value != UNKNOWN:
                yield from _illegal(field, value, where)
                yield from self._beside(field, where)
                if field.block:
                    for each, place in _objects(value, where):
                        yield from self.block(bare, each, place)
        yield from self._groups(block, values, path)

    def _beside(self, field: Field, path: str) -> Iterator[Failure]:
        for other in field.conflicts:
            if _given(self._inputs, other) and not _unknown(self._inputs, other):
                yield Failure(path, f"conflicts with {other}")
        missing = [other for other in field.requires if not _given(self._inputs, other)]
        if missing:
            yield Failure(path, f"all of {_listed((path, *field.requires))} must be specified")

    def _groups(self, block: str, values: Mapping[str, Value], path: str) -> Iterator[Failure]:
        for group in self._schema.exactly_one:
            names = [each.rpartition(".")[2] for each in group]
            if group[0].rpartition(".")[0] != block:
                continue
            given = [name for name in names if values.get(name) not in (None, UNKNOWN)]
            unknown = any(values.get(name) == UNKNOWN for name in names)
            if len(given) > 1:
                yield Failure(
                    path, f"only one of {_listed(names)} can be specified, but {_listed(given)} were specified"
                )
            elif not given and not unknown:
                yield Failure(path, f"one of {_listed(names)} must be specified")
        for group in self._schema.at_least_one:
            names = [each.rpartition(".")[2] for each in group]
            if group[0].rpartition(".")[0] == block and all(values.get(name) is None for name in names):
                yield Failure(path, f"one of {_listed(names)} must be specified")


def _illegal(field: Field, value: Value, path: str) -> Iterator[Failure]:
    if field.one_of:
        for each in value if isinstance(value, list) else [value]:
            if each != UNKNOWN and each not in field.one_of:
                legal = " ".join(f'"{item}"' for item in field.one_of)
                yield Failure(path, f"expected {path} to be one of [{legal}], got {each}")
    if isinstance(value, list):
        if field.min_items is not None and len(value) < field.min_items:
            yield Failure(path, f"requires {field.min_items} item minimum, but has only {len(value)} declared")
        if field.max_items is not None and len(value) > field.max_items:
            yield Failure(path, f"no more than {field.max_items} items are supported, but {len(value)} are declared")


def _objects(value: Value, path: str) -> Iterator[tuple[Mapping[str, Value], str]]:
    if isinstance(value, dict):
        yield value, path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield item, f"{path}[{index}]"


def _found(values: Mapping[str, Value], path: str) -> list[Value]:
    """The values at a path without positions, which in a list means those of all elements."""
    found: list[Value] = [cast(Value, dict(values))]
    for name in path.split("."):
        objects = [item for each in found for item in (each if isinstance(each, list) else [each])]
        found = [each.get(name) if isinstance(each, dict) else each for each in objects]
        found = [each for each in found if each is not None]
    return found


def _given(values: Mapping[str, Value], path: str) -> bool:
    return bool(_found(values, path))


def _unknown(values: Mapping[str, Value], path: str) -> bool:
    return all(each == UNKNOWN for each in _found(values, path))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
