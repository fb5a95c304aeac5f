"""`make plan`: the plan of a stack file for people, pull requests and machines, without Pulumi."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import stack_names
from planning.schema import plan_schema
from planning.stack_question import Format, describe_stack

CHECKOUT = Path(__file__).parents[2]
STACKS = stack_names(CHECKOUT)


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "planning", "stack", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_people_read_models_memory_nodes_cost_and_why(stack: str, form: str) -> None:
    answer = ask(stack, "--format", form)
    assert answer.returncode == 0, answer.stderr
    for heading in ("Models", "GPU memory", "Nodes", "Cost", "Quota needed", "Why"):
        assert heading in answer.stdout
    assert "weights" in answer.stdout and "USD" in answer.stdout


def test_tables_in_markdown_have_as_many_cells_in_every_row() -> None:
    lines = ask("h200", "--format", "markdown").stdout.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) > 10
    widths = [line.count("|") for line in rows]
    separators = [index for index, line in enumerate(rows) if set(line) <= set("| -")]
    for start, end in zip(separators, [*separators[1:], len(rows) + 1], strict=True):
        assert len(set(widths[start - 1 : end - 1])) == 1


def test_machines_get_json_with_the_basis_of_every_figure() -> None:
    plan: dict[str, Any] = json.loads(ask("h200", "--format", "json").stdout)
    assert plan["models"][0]["shape"]["memory"]["basis"] in ("measured", "recorded", "extrapolated")
    assert plan["cost"]["usd_per_hour"] > 1


def test_whoever_reads_a_plan_by_a_machine_can_ask_for_its_schema() -> None:
    asked = subprocess.run([sys.executable, "-m", "planning", "schema"], cwd=CHECKOUT, capture_output=True, check=True)
    schema: dict[str, Any] = json.loads(asked.stdout)
    assert {name for name, _ in _objects(schema)} >= {"PlatformPlan", "ModelServerPlan", "GpuMemory", "Taint"}


@pytest.mark.parametrize("stack", STACKS)
def test_the_schema_holds_for_the_plan_of_every_stack(stack: str) -> None:
    schema = json.loads(plan_schema())
    plan = json.loads(describe_stack(CHECKOUT, stack, Format.JSON))
    assert _has_the_keys_of(schema, plan, schema["$defs"])


def test_every_field_of_a_plan_says_in_the_schema_what_it_means() -> None:
    objects = dict(_objects(json.loads(plan_schema())))
    assert [name for name, each in objects.items() if not each.get("description")] == []
    fields = {f"{name}.{field}": said for name, each in objects.items() for field, said in each["properties"].items()}
    assert [name for name, said in fields.items() if not said.get("description")] == []


def test_every_part_of_a_plan_refuses_keys_that_it_does_not_know() -> None:
    """So it does nowhere hold a type that is no model of ours and is written in another way."""
    objects = _objects(json.loads(plan_schema()))
    assert [name for name, each in objects if each.get("additionalProperties") is not False] == []


def _has_the_keys_of(schema: dict[str, Any], value: Any, parts: dict[str, Any]) -> bool:
    """Whether every object in `value` has exactly the keys that the schema gives its type."""
    if "$ref" in schema:
        return _has_the_keys_of(parts[schema["$ref"].rsplit("/", 1)[1]], value, parts)
    if "anyOf" in schema:
        return any(_has_the_keys_of(each, value, parts) for each in schema["anyOf"])
    if isinstance(value, list):
        return "items" not in schema or all(_has_the_keys_of(schema["items"], each, parts) for each in value)
    if "properties" not in schema:
        return not isinstance(value, dict) or schema.get("type") == "object"
    fields = schema["properties"]
    return (
        isinstance(value, dict)
        and value.keys() == fields.keys()
        and all(_has_the_keys_of(fields[key], each, parts) for key, each in value.items())
    )


def _objects(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The whole plan and each part of it, by the name of its type."""
    yield schema["title"], schema
    yield from ((name, each) for name, each in schema["$defs"].items() if "properties" in each)


def test_a_stack_that_is_none_is_told_without_a_traceback() -> None:
    answer = ask("h2000")
    assert answer.returncode == 1
    assert "there is no such file" in answer.stderr and "Traceback" not in answer.stderr


def test_planning_a_stack_imports_no_sdk() -> None:
    program = (
        "import sys, runpy; sys.argv = ['planning', 'stack', 'h200'];\n"
        "try: runpy.run_module('planning', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "pydantic" in loaded and loaded.isdisjoint({"pulumi", "pulumi_gcp", "pulumi_kubernetes"})
