"""Edits the stack files of a checkout of the tests' own, and looks into what is up there."""

import json
import subprocess
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


def applied_again(checkout: Checkout, stack: str) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """Tries to make each of a stack's Kubernetes objects once more; returns their kinds, and what became of it.

    It does so as another field manager, as Pulumi chooses one for each creation: where the API server fills something
    into a list that it compares whole, the program's own words conflict with it. The engine's state has a Secret's
    content only encrypted, so Secrets are left out.
    """
    resources = recorded(checkout, stack)["resources"]
    inputs = [each["inputs"] for each in resources if each["type"].startswith("kubernetes:") and "inputs" in each]
    items = [
        {key: value for key, value in each.items() if not key.startswith("__")}
        for each in inputs
        if each.get("kind", "Secret") != "Secret"
    ]
    file = checkout.folder / f"again-{stack}.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    arguments = f"apply --server-side --dry-run=server --field-manager=again -f {file.name}"
    run = checkout.make("kubectl", stack, ARGS=arguments)
    file.unlink()
    return {each["kind"] for each in items}, run
