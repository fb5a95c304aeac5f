"""Converts property values between Pulumi's protobuf structs and plain Python: unknowns, secrets, outputs and whole
numbers.

`Properties` reads nested values by path, and never raises for what is absent or not yet known.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias, cast

from google.protobuf import json_format, struct_pb2

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# The Pulumi engine has a sentinel for each type (bool, number, array, asset, archive, object); here one is enough.
_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_PATH = re.compile(r"[^.\[\]]+|\[\d+\]")


def decode(message: struct_pb2.Struct) -> dict[str, Value]:
    """The struct as plain values: secrets are opened, absent outputs become unknown, nulls are dropped, whole numbers
    become int."""
    return cast(dict[str, Value], _plain(json_format.MessageToDict(message)))


def encode(values: Mapping[str, Value]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    json_format.ParseDict(dict(values), message)
    return message


def _plain(value: Value) -> Value:
    match value:
        case float() if value.is_integer():
            return int(value)
        case str() if value in _UNKNOWNS:
            return UNKNOWN
        case list():
            return [_plain(item) for item in value]
        case dict() if value.get(SIGNATURE) == _SECRET:
            return _plain(value.get("value"))
        case dict() if value.get(SIGNATURE) == _OUTPUT:
            return _plain(value["value"]) if "value" in value else UNKNOWN
        case dict():
            return {key: _plain(item) for key, item in value.items() if item is not None}
        case _:
            return value


def is_asset(value: Value) -> bool:
    return isinstance(value, dict) and SIGNATURE in value


def has_unknown(value: Value) -> bool:
    match value:
        case list():
            return any(has_unknown(item) for item in value)
        case dict():
            return any(has_unknown(item) for item in value.values())
        case _:
            return value == UNKNOWN


class Properties:
    """Nested values; paths are written as Pulumi writes them (`nodeConfig.guestAccelerators[0].type`)."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values

    def __getitem__(self, path: str) -> Value:
        """The value at a path; None if there is none, UNKNOWN if it or anything around it is unknown."""
        found: Value = dict(self.values)
        for step in cast(list[str], _PATH.findall(path)):
            match found:
                case list() if step.startswith("[") and int(step[1:-1]) < len(found):
                    found = found[int(step[1:-1])]
                case dict():
                    found = found.get(step)
                case _:
                    return UNKNOWN if found == UNKNOWN else None
        return found

    def __contains__(self, path: str) -> bool:
        return self[path] is not None

    def unknown(self, path: str) -> bool:
        return has_unknown(self[path])

    def text(self, path: str) -> str | None:
        """The text at a path; None if it is absent or unknown."""
        value = self[path]
        return value if isinstance(value, str) and value != UNKNOWN else None

    def number(self, path: str) -> int | None:
        value = self[path]
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, path: str) -> bool | None:
        value = self[path]
        return value if isinstance(value, bool) else None

    def texts(self, path: str) -> list[str]:
        """The known texts of a list."""
        value = self[path]
        return [v for v in value if isinstance(v, str) and v != UNKNOWN] if isinstance(value, list) else []

    def items(self, path: str) -> "list[Properties]":
        """The known objects of a list."""
        value = self[path]
        return [Properties(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def mapping(self, path: str) -> dict[str, str]:
        value = self[path]
        if not isinstance(value, dict):
            return {}
        return {k: v for k, v in value.items() if isinstance(v, str) and v != UNKNOWN}


def join_path(path: str, key: str) -> str:
    """The path of a key inside an object, in Pulumi's notation, which quotes a key that is not a plain name."""
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key
