"""No field of a stack file is dead: each changes the plan, or the plan's verdict on the stack."""

import json
import re
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from catalog import MODELS
from config import ConfigurationError
from config.validate import validate
from planning.platform import plan_platform
from tests.graph.conftest import STACKS
from tests.graph.mutations import fields, mutations
from tests.graph.recorder import NAMESPACE, record, stack_config
from tests.unit.google_rules import changed, stack_values

FIELDS = dict(fields())
ONLY_IN_THE_GRAPH = {"project"}
"""A plan is made without it."""
DOCUMENTATION = {"title", "licence", "sources", "note", "gated", "minimumVllm"}
"""Fields of a model's definition that are for its reader only."""


def verdict(stack: str, values: dict[str, Any]) -> str:
    """The plan as text, or why there is none."""
    try:
        return plan_platform(validate(stack, values, frozenset(), to_deploy=False), stack).model_dump_json()
    except ConfigurationError as error:
        return str(error)


def is_alive(stack: str, path: str, field: FieldInfo) -> bool:
    return any(verdict(stack, before) != verdict(stack, after) for before, after in mutations(stack, path, field))


@pytest.mark.parametrize("path", [path for path in FIELDS if path not in ONLY_IN_THE_GRAPH])
def test_a_change_of_any_field_changes_the_plan_or_the_verdict(path: str) -> None:
    legal = [stack for stack in STACKS if any(mutations(stack, path, FIELDS[path]))]
    assert legal, f"teach tests/graph/mutations.py another value of {path}"
    assert any(is_alive(stack, path, FIELDS[path]) for stack in legal)


def written(value: Any, path: str = "") -> list[str]:
    """The paths of the values in a stack file."""
    match value:
        case dict():
            return [p for key, item in value.items() for p in written(item, f"{path}.{key}" if path else key)]
        case list():
            return [p for item in value for p in written(item, f"{path}[]")]
        case _:
            return [path]


@pytest.mark.parametrize("stack", STACKS)
def test_every_value_in_a_stack_file_counts(stack: str) -> None:
    for path in dict.fromkeys(written(stack_values(stack))):
        field = field_of(path)
        assert is_alive(stack, field, FIELDS[field]), path


def field_of(path: str) -> str:
    """The field that holds the value: a number of nodes is both bounds, and keys of a mapping are its values."""
    path = path.replace("nodePools[].nodes", "nodePools[].nodes.max") if path.endswith("].nodes") else path
    return next(field for field in FIELDS if path == field or path.startswith((f"{field}.", f"{field}[")))


def test_the_project_is_in_the_graph() -> None:
    config = stack_config("dev")
    other = record("dev", preview=False, config={**config, f"{NAMESPACE}:project": "another-project"})
    assert "another-project" in json.dumps([registration.inputs for registration in other.registrations])


def test_every_figure_of_a_models_definition_counts_for_some_model() -> None:
    alive: set[str] = set()
    dead: set[str] = set()
    for stack in STACKS:
        values = stack_values(stack)
        definition = MODELS[values["models"][0]["model"]].model_dump(mode="json", by_alias=True, exclude_unset=True)
        described = changed(values, {"models.0.definition": definition})
        before = verdict(stack, described)
        for path, figure in leaves(definition):
            field = re.sub(r"\.\d+", "[]", path)
            if field in alive or field.split(".")[0] in DOCUMENTATION or type(figure) not in (int, float):
                continue
            # What is the most that a step takes hides what takes less, so small changes need not show.
            figures = (figure * 64, figure * 2, figure / 2, figure / 64)
            others = [changed(described, {f"models.0.definition.{path}": other}) for other in figures]
            (alive if any(verdict(stack, other) != before for other in others) else dead).add(field)
    assert sorted(dead - alive) == []


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    match value:
        case dict():
            return [p for key, item in value.items() for p in leaves(item, f"{path}.{key}" if path else key)]
        case list():
            return [p for index, item in enumerate(value) for p in leaves(item, f"{path}.{index}")]
        case _:
            return [(path, value)]
