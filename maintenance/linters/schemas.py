"""Schemas for kubeconform: Kubernetes' own and those of custom resources, strict about unknown fields."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml

KUBERNETES = "v1.36.0-local-strict"

Schema = dict[str, Any]


def write(target: Path, kubernetes: Path, kinds: Iterable[Path]) -> None:
    """Writes the schemas to `target`. `kubernetes` is the folder of Kubernetes' own; `kinds` are files of
    CustomResourceDefinitions."""
    target.mkdir(parents=True)
    for file in (kubernetes / KUBERNETES).glob("*.json"):
        # The published schemas name an address of their own, at which nothing could be found here.
        schema = json.loads(file.read_text(encoding="utf-8").replace('"/api/_definitions.json#', '"_definitions.json#'))
        schema.pop("$id", None)
        (target / file.name).write_text(json.dumps(schema), encoding="utf-8")
    for file in kinds:
        for definition in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if definition and definition["kind"] == "CustomResourceDefinition":
                _write_kind(target, definition)


def _write_kind(target: Path, definition: Schema) -> None:
    spec = definition["spec"]
    for version in spec["versions"]:
        schema: Schema = version["schema"]["openAPIV3Schema"]
        _close(schema)
        schema["properties"]["metadata"] = {"type": "object"}
        name = f"{spec['names']['kind']}-{spec['group'].split('.')[0]}-{version['name']}.json".lower()
        (target / name).write_text(json.dumps(schema), encoding="utf-8")


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for item in cast(list[Any], schema):
            _close(item)
    if not isinstance(schema, dict):
        return
    here = cast(Schema, schema)
    if "properties" in here and not here.get("x-kubernetes-preserve-unknown-fields"):
        here.setdefault("additionalProperties", False)
    if here.pop("x-kubernetes-int-or-string", False):
        here.pop("anyOf", None)
        here["type"] = ["integer", "string"]
    for value in list(here.values()):
        _close(value)
