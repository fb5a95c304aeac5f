"""Answers `python -m planning schema`: the JSON schema of a plan, for whoever reads it by a machine.

It is made when it is asked for, so it is never old. What a field means stands below it in the source, which nobody who
only plans has to wait for.
"""

import ast
import inspect
import json
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from planning.plan import Decision, PlatformPlan


def plan_schema() -> str:
    """The schema of what `python -m planning stack NAME --format json` writes."""
    schema = PlatformPlan.model_json_schema(by_alias=False, schema_generator=_Described, mode="serialization")
    return json.dumps(schema, indent=2, sort_keys=True)


class _Described(GenerateJsonSchema):
    """Says of each field of a decision what the text below it says."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        made, kind = super().model_schema(schema), schema["cls"]
        for name, text in _texts(kind) if issubclass(kind, Decision) else ():
            made["properties"][name]["description"] = text
        return made


def _texts(kind: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    for field, below in pairwise(definition.body if isinstance(definition, ast.ClassDef) else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass
