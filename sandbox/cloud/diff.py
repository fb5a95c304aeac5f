"""What changed between the old and the new inputs, and whether Google can change it in place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sandbox.cloud.kinds import Kind
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


def differences(kind: Kind, old: Properties, new: Properties, outputs: Properties) -> list[Difference]:
    """Every difference, innermost paths. `outputs` says what Google has where the old inputs said nothing."""
    found: list[Difference] = []
    for path, before, after in _changes(dict(old.values), dict(new.values), ""):
        bare = _bare(path)
        if before is None and after == _already(kind, outputs, path):
            continue
        if bare in kind.references and _same(before, after):
            continue
        change = Change.ADD if before is None else Change.DELETE if after is None else Change.UPDATE
        found.append(Difference(path, change, _replaces(kind, bare, before, after)))
    return found


def _already(kind: Kind, outputs: Properties, path: str) -> Value:
    known = outputs[path]
    return kind.defaults.get(path) if known is None else known


def _same(before: Value, after: Value) -> bool:
    return isinstance(before, str) and isinstance(after, str) and same_reference(before, after)


def _replaces(kind: Kind, bare: str, before: Value, after: Value) -> bool:
    if bare in kind.replaces:
        return has_unknown(after) or kind.replaces[bare](before, after)
    return any(bare == fixed or bare.startswith(fixed + ".") for fixed in kind.force_new)


def _bare(path: str) -> str:
    """The path without list positions and map keys that are no names."""
    return re.sub(r"\[[^\]]*\]", "", path)


def _changes(old: Value, new: Value, path: str) -> Iterator[tuple[str, Value, Value]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(key), new.get(key), join_path(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            yield from _changes(before, new[index] if index < len(new) else None, f"{path}[{index}]")
    elif old is None and isinstance(new, dict) and new:
        # A whole block: its leaves say which of them cannot be changed in place.
        for key, value in new.items():
            yield from _changes(None, value, join_path(path, key))
    elif new is None and isinstance(old, dict) and old:
        for key, value in old.items():
            yield from _changes(value, None, join_path(path, key))
    elif old != new or has_unknown(new):
        yield path, old, new
