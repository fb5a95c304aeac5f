"""Values that a field of a stack file can be changed to: each legal by itself, though the plan may refuse it."""

import enum
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from config.settings import Settings
from tests.graph.mutation_values import BASES, VALUES, Changes
from tests.unit.google_rules import changed, stack_values


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field that holds a value, by its path with [] for any position; not what describes a model."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        nested = [kind for kind in _inner(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not nested:
            yield path, field
        for kind in nested:
            if path != "models[].definition":
                many = "[]" if "tuple[" in str(field.annotation) else ""
                yield from fields(kind, f"{path}{many}.")


def mutations(stack: str, path: str, field: FieldInfo) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The stack's values before and after each change of that field; only what is legal by itself."""
    shipped = stack_values(stack)
    before = shipped if _is_written(shipped, path) else changed(shipped, BASES.get(path, {}))
    for changes in VALUES.get(path) or _generic(path, field):
        after = changed(before, changes)
        if after != before and _legal(before) and _legal(after):
            yield before, after


def _is_written(values: Any, path: str) -> bool:
    for part in path.replace("[]", ".0").split("."):
        if isinstance(values, list):
            values = values[int(part)]
        elif not isinstance(values, dict) or part not in values:
            return False
        else:
            values = values[part]
    return True


def _legal(values: dict[str, Any]) -> bool:
    try:
        Settings.model_validate(values, by_alias=True, by_name=False)
    except ValidationError:
        return False
    return True


def _generic(path: str, field: FieldInfo) -> list[Changes]:
    dotted = path.replace("[]", ".0")
    return [{dotted: value} for value in _values(field)]


def _values(field: FieldInfo) -> Iterator[Any]:
    low = max([1, *(int(rule.ge) for rule in field.metadata if isinstance(rule, Ge))])  # type: ignore[call-overload]
    high = min([10**9, *(int(rule.le) for rule in field.metadata if isinstance(rule, Le))])  # type: ignore[call-overload]
    limits = [rule for rule in field.metadata if isinstance(rule, Gt | Lt)]
    for kind in _inner(field.annotation):
        if kind is bool:
            yield from (True, False)
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            yield from (member.value for member in kind)
        elif kind is int:
            yield from (value for value in (low, low + 1, 8, 24, 64, 300, 4096) if value <= high)
        elif kind is float:
            yield from ((0.5,) if limits else (0.5, 2.0))
        elif kind is str:
            yield from ("changed", "acme/changed", "acme.example/images/changed:1")
        elif kind is dict:
            yield {"changed": "1"}


def _inner(annotation: Any) -> Iterator[Any]:
    """The types that a value may have: of unions each, of tuples the items'."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _inner(get_args(annotation)[0])
    elif origin is Literal:
        yield str
    elif origin in (Union, types.UnionType, tuple):
        for argument in get_args(annotation):
            yield from _inner(argument)
    elif origin is dict:
        yield dict
    elif annotation is not type(None) and annotation is not ...:
        yield annotation
