"""What a row about one of Google's rules says, and the stack files that rows change."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
NAMESPACE = "inference-platform"


@dataclass(frozen=True)
class Rule:
    id: str
    source: str
    """A key of catalog/sources.yaml."""
    stack: str
    changes: dict[str, Any]
    path: str
    """Key path in the stack file that the error names."""
    text: str
    """Part of what the error says."""


def stack_values(stack: str) -> dict[str, Any]:
    """Our keys of a shipped stack file, without the namespace."""
    config = yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    return {
        key.removeprefix(f"{NAMESPACE}:"): value for key, value in config.items() if key.startswith(f"{NAMESPACE}:")
    }


def changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of `values` with each dotted path set, or taken away where the value is None."""
    result = copy.deepcopy(values)
    for path, value in changes.items():
        *parents, last = path.split(".")
        here: Any = result
        for part in parents:
            here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
        if isinstance(here, list):
            position = int(last)
            here[position : position + 1] = [value]
        elif value is None:
            here.pop(last, None)
        else:
            here[last] = value
    return result


def pool(accelerator: str, **fields: Any) -> dict[str, Any]:
    """A second pool for a stack."""
    return {
        "name": "second",
        "accelerator": accelerator,
        "zone": "us-central1-b",
        "nodes": 1,
        "capacity": {"kind": "spot"},
        **fields,
    }
