"""Finds what differs between what exists and what is asked for, and whether the provider's schema changes it in
place."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sandbox.cloud.kinds import Kind
from sandbox.cloud.provider_schema import ProviderSchema, provider_schema
from sandbox.cloud.references import same_reference
from sandbox.cloud.values import Properties, Value, has_unknown, join_path


class Change(StrEnum):
    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Difference:
    path: str
    change: Change
    replaces: bool


def differences(
    kind: Kind, old: Properties, new: Properties, outputs: Properties, ignored: Sequence[str] = ()
) -> list[Difference]:
    """Every difference, with the path of the innermost property. `outputs` give Google's value where the old inputs
    gave none; differences at the paths in `ignored` are left out, as the program wishes."""
    return [
        each
        for each in _Comparison(kind, old, new, outputs).found()
        if not any(_within(_bare(each.path), _bare(path)) for path in ignored)
    ]


class _Comparison:
    def __init__(self, kind: Kind, old: Properties, new: Properties, outputs: Properties) -> None:
        self._kind = kind
        self._schema = provider_schema(kind.token)
        self._old = old
        self._new = new
        self._outputs = outputs

    def found(self) -> Iterator[Difference]:
        for path, before, after in _changes(self._schema, dict(self._old.values), dict(self._new.values), ""):
            bare = _bare(path)
            known, wanted = self._known(path, before), self._wanted(path, before, after)
            if known == wanted and not has_unknown(wanted):
                continue
            if bare in self._kind.references and _same(known, wanted):
                continue
            change = Change.ADD if before is None else Change.DELETE if after is None else Change.UPDATE
            yield Difference(path, change, self._replaces(bare, before, after))
        for path, value in _unanswered(self._schema, self._old, self._new, self._outputs):
            yield Difference(path, Change.ADD, self._replaces(_bare(path), None, value))

    def _known(self, path: str, before: Value) -> Value:
        """The value that Google has, or takes where the program gives none."""
        if before is not None:
            return before
        answered = self._outputs[path]
        return self._default(path) if answered is None else answered

    def _wanted(self, path: str, before: Value, after: Value) -> Value:
        if after is not None:
            return after
        return before if self._stays(path) else self._default(path)

    def _stays(self, path: str) -> bool:
        """Whether Google keeps its value when the program removes the property, or the block that holds it."""
        bare = _bare(path)
        field = self._schema.governing(bare)
        if field is None or field.computed:
            return field is not None
        gone = (block for block in _around(bare) if self._new[block] is None)
        return any(self._schema.fields[block].computed for block in gone if block in self._schema.fields)

    def _default(self, path: str) -> Value:
        field = self._schema.fields.get(_bare(path))
        said = field.default if field else None
        return self._kind.defaults.get(path) if said is None else said

    def _replaces(self, bare: str, before: Value, after: Value) -> bool:
        if bare in self._kind.replaces:
            return has_unknown(after) or self._kind.replaces[bare](before, after)
        field = self._schema.governing(bare)
        if field and field.force_new:
            return True
        blocks = (block for block in _around(bare) if block in self._schema.fields)
        return any(self._schema.fields[block].force_new and self._counted(block) for block in blocks)

    def _counted(self, block: str) -> bool:
        """Whether the number of blocks differs from before."""
        return _count(self._old[block]) != _count(self._new[block])


def _count(value: Value) -> int:
    return len(value) if isinstance(value, list) else int(value is not None)


def _same(before: Value, after: Value) -> bool:
    return isinstance(before, str) and isinstance(after, str) and same_reference(before, after)


def _bare(path: str) -> str:
    """The path without list positions and without map keys that are not names."""
    return re.sub(r"\[[^\]]*\]", "", path)


def _around(bare: str) -> Iterator[str]:
    """The blocks around a property, from the inside out."""
    while "." in bare:
        bare = bare.rpartition(".")[0]
        yield bare


def _within(path: str, around: str) -> bool:
    return path == around or path.startswith(around + ".")


def _changes(schema: ProviderSchema, old: Value, new: Value, path: str) -> Iterator[tuple[str, Value, Value]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(schema, old.get(key), new.get(key), join_path(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        before, after = _in_order(schema, old, path), _in_order(schema, new, path)
        for index in range(max(len(old), len(new))):
            yield from _changes(
                schema,
                before[index] if index < len(old) else None,
                after[index] if index < len(new) else None,
                f"{path}[{index}]",
            )
    elif old is None and isinstance(new, dict) and new:
        # For a whole block, its properties say which of them cannot be changed in place.
        for key, value in new.items():
            yield from _changes(schema, None, value, join_path(path, key))
    elif new is None and isinstance(old, dict) and old:
        for key, value in old.items():
            yield from _changes(schema, value, None, join_path(path, key))
    elif old != new or has_unknown(new):
        yield path, old, new


def _in_order(schema: ProviderSchema, values: list[Value], path: str) -> list[Value]:
    """The values in a fixed order, if they are a set, which has none of its own."""
    field = schema.fields.get(_bare(path))
    return sorted(values, key=json.dumps) if field and field.type == "set" else values


def _unanswered(
    schema: ProviderSchema, old: Properties, new: Properties, outputs: Properties
) -> Iterator[tuple[str, Value]]:
    """Properties that the program gives as before and that Google's answer lacked. The provider treats an empty value
    like none, but not if the whole block is missing."""
    for path, value in _leaves(dict(new.values), ""):
        block = next((block for block in _around(_bare(path)) if block in schema.fields), None)
        field = schema.fields.get(_bare(path))
        if block is None or field is None or field.suppresses or schema.fields[block].suppresses:
            continue
        if old[path] != value or not outputs.values or outputs[path] is not None:
            continue
        if value or outputs[path.rpartition(".")[0]] is None:
            yield path, value


def _leaves(value: Value, path: str) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, join_path(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    elif path and value is not None:
        yield path, value
