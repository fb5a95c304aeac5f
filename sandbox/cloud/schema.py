"""Checks properties against `pulumi_gcp`'s own input classes: unknown ones and those of a wrong type are refused."""

import difflib
import importlib
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Union, cast, get_args, get_origin

import pulumi

# Only this module reads the private parts of the SDK's generated classes.
from pulumi import _types as pulumi_types  # pyright: ignore[reportPrivateUsage]

from sandbox.cloud.values import UNKNOWN, Value, is_asset, join_path

_loading = threading.Lock()
"""Pulumi loads a module of the SDK at the first use of a name in it, and meanwhile another thread finds it empty."""

_NAMES: dict[type, str] = {str: "string", bool: "bool", int: "int", float: "number"}


@dataclass(frozen=True)
class Failure:
    path: str
    reason: str


@cache
def arguments_class(token: str) -> type:
    """The `...Args` class of a resource token such as `gcp:container/nodePool:NodePool`."""
    with _loading:
        module = importlib.import_module("pulumi_gcp." + token.split(":")[1].split("/")[0])
        name = token.rsplit(":", 1)[1]
        if getattr(module, name).pulumi_type != token:
            raise ValueError(f"pulumi_gcp has another token for {name} than {token}")
        return cast(type, getattr(module, name + "Args"))


def provider_arguments_class() -> type:
    with _loading:
        return cast(type, importlib.import_module("pulumi_gcp").ProviderArgs)


def check(cls: type, values: Mapping[str, Value]) -> list[Failure]:
    """All mistakes in the properties of one object, and of the objects in it."""
    return list(_object(cls, values, ""))


@cache
def fields(cls: type) -> Mapping[str, Any]:
    """The names that an input class's properties have on the wire, with their types."""
    return cast(dict[str, Any], pulumi_types.input_type_types(cls))


def _object(cls: type, values: Mapping[str, Value], path: str) -> Iterator[Failure]:
    known = fields(cls)
    for name, value in values.items():
        where = join_path(path, name)
        if name in known:
            yield from _value(known[name], value, where)
        else:
            yield Failure(where, unknown_property(name, known))


def unknown_property(name: str, known_fields: Mapping[str, Any]) -> str:
    known = {field.lower(): field for field in known_fields}
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return "unknown property" + (f"; did you mean `{known[near[0]]}`?" if near else "")


def _value(expected: Any, value: Value, path: str) -> Iterator[Failure]:
    expected = known_type(expected)
    if value == UNKNOWN or value is None or expected is Any:
        return
    if is_asset(value):
        yield Failure(path, f"expected {_name(expected)}, got an asset")
    elif get_origin(expected) in _LISTS:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _value(get_args(expected)[0], item, f"{path}[{index}]")
        else:
            yield Failure(path, f"expected {_name(expected)}, got {_name_of(value)}")
    elif get_origin(expected) in _MAPS:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from _value(get_args(expected)[1], item, join_path(path, key))
        else:
            yield Failure(path, f"expected {_name(expected)}, got {_name_of(value)}")
    elif pulumi_types.is_input_type(expected):
        if isinstance(value, dict):
            yield from _object(expected, value, path)
        else:
            yield Failure(path, f"expected {_name(expected)}, got {_name_of(value)}")
    elif not _fits(expected, value):
        yield Failure(path, f"expected {_name(expected)}, got {_name_of(value)}")


_LISTS = (list, Sequence)
_MAPS = (dict, Mapping)


def class_of(expected: Any) -> type:
    """The input class of a block, if there can be one of it or many."""
    expected = known_type(expected)
    if get_origin(expected) in _LISTS:
        return class_of(get_args(expected)[0])
    return cast(type, expected)


def known_type(expected: Any) -> Any:
    """The type without Optional, Awaitable and Output, and without the TypedDict form of an input class."""
    if get_origin(expected) not in (Union, types.UnionType):
        return expected
    members = [
        member
        for member in get_args(expected)
        if member is not type(None)
        and getattr(get_origin(member), "__name__", "") != "Awaitable"
        and get_origin(member) is not pulumi.Output
    ]
    return known_type(members[0]) if members else Any


def _fits(expected: Any, value: Value) -> bool:
    if expected is bool:
        return isinstance(value, bool)
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _name(expected: Any) -> str:
    if get_origin(expected) in _LISTS:
        return "list"
    return _NAMES.get(expected, "object")


def _name_of(value: Value) -> str:
    if isinstance(value, list):
        return "list"
    return _NAMES.get(type(value), "object")
