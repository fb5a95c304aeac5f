"""Edits the stack files of a checkout of the tests' own, and looks into what is up there."""

import json
from typing import Any

import yaml

from tests.sandbox.conftest import Checkout


def edited(checkout: Checkout, stack: str, **changes: Any) -> None:
    """Sets keys of a stack file of the copy; None takes one away."""
    file = checkout.folder / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text())
    for key, value in changes.items():
        content["config"].pop(f"inference-platform:{key}", None)
        if value is not None:
            content["config"][f"inference-platform:{key}"] = value
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def values(checkout: Checkout, stack: str) -> dict[str, Any]:
    config = yaml.safe_load((checkout.folder / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("inference-platform:"): value for key, value in config.items()}


def recorded(checkout: Checkout, stack: str) -> dict[str, Any]:
    """What the Pulumi engine's state holds of a stack."""
    (file,) = (checkout.folder / ".sandbox" / stack / "state" / ".pulumi" / "stacks").rglob(f"{stack}.json")
    return json.loads(file.read_text())["checkpoint"]["latest"]


def objects(checkout: Checkout, stack: str, kinds: str, namespace: str | None = None) -> list[dict[str, Any]]:
    where = f"-n {namespace}" if namespace else "-A"
    return json.loads(checkout.make("kubectl", stack, ARGS=f"get {kinds} {where} -o json").stdout)["items"]
