"""Says of each field of a stack file what a change of it does to existing resources."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

_KEY = "effect"


class Effect(StrEnum):
    """The most that is torn down and built again, whatever the values are; a wider one includes the narrower ones."""

    IN_PLACE = "in place"
    NEW_POOLS = "reaches new node pools only"
    NODE_POOL = "replaces the node pool"
    CLUSTER = "replaces the cluster"


def changes_in_place() -> Any:
    """Metadata of a field that changes in place although the field around it has a wider effect."""
    return Field(json_schema_extra={_KEY: Effect.IN_PLACE.value})


def reaches_new_pools_only() -> Any:
    """Metadata of a field that counts for new pools only: existing ones stay as they are, and are changed by gcloud."""
    return Field(json_schema_extra={_KEY: Effect.NEW_POOLS.value})


def replaces_node_pool() -> Any:
    """Metadata of a field whose change drains the pool's nodes and makes them again."""
    return Field(json_schema_extra={_KEY: Effect.NODE_POOL.value})


def replaces_cluster() -> Any:
    """Metadata of a field whose change replaces the cluster with everything on it."""
    return Field(json_schema_extra={_KEY: Effect.CLUSTER.value})


def effects(settings: type[BaseModel], prefix: str = "", around: Effect = Effect.IN_PLACE) -> dict[str, Effect]:
    """The effect of a change for every field that a person can write, by its path with [] for any position.

    A field without metadata has the effect of the field around it, and changes in place if it is at the top.
    """
    found: dict[str, Effect] = {}
    for name, field in settings.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        effect = _own(field) or around
        nested = list(_models(field.annotation))
        if not nested:
            found[path] = effect
        for model in nested:
            many = "[]" if "tuple[" in str(field.annotation) else ""
            found |= effects(model, f"{path}{many}.", effect)
    return found


def _own(field: FieldInfo) -> Effect | None:
    extra: Any = field.json_schema_extra
    return Effect(extra[_KEY]) if isinstance(extra, dict) and _KEY in extra else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
