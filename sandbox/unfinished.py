"""Creations that a killed Pulumi engine did not see end.

The engine notes a creation in its state before it asks for it, and the cloud goes on with it also when the engine is
killed. On Google a person takes such a resource in by `pulumi refresh --import-pending-creates`, and must know its id;
here the cloud's own record tells it.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, cast

from sandbox.cloud.store import Record, Store
from sandbox.cloud.values import SIGNATURE
from sandbox.home import Home
from sandbox.pulumi_engine import PulumiEngine
from sandbox.sharing import tenants

_FILLED_IN = "__defaults"
"""The input in which the Pulumi bridge lists what it filled in; the cloud does not keep it."""


class LeftBehind(Exception):
    """The cloud has resources that no state knows; the message names them, and says what to do."""


def take_in(running: PulumiEngine, tell: Callable[[str], None]) -> None:
    """Takes what the cloud has made since into the state, as if the engine had lived to see it.

    In a cloud that several stacks share nothing is taken in: it may be another one's.
    """
    home = running.home
    if home.shares_cloud or tenants(home):
        return
    state = running.stack.export_stack()
    deployment = cast(dict[str, Any], state.deployment or {})
    resources: list[dict[str, Any]] = deployment.get("resources") or []
    found = _made(home, deployment.get("pending_operations") or [], {each["urn"] for each in resources})
    if not found:
        return
    # Whoever imports a state drops all notes of the engine's with it, and warns of each, so drop them here.
    state.deployment = {**deployment, "resources": [*resources, *found.values()], "pending_operations": []}
    running.stack.import_stack(state)
    for urn, each in found.items():
        tell(
            f"{each['type']} {each['id']} was made while a command was killed; it is in the state now. On Google: "
            f"`pulumi refresh --import-pending-creates '{urn}' --import-pending-creates {each['id']}`"
        )


def require_nothing_left(home: Home, known: Iterable[str]) -> None:
    """Raises LeftBehind if the stack's own cloud has resources beside those that the state knew before it was taken
    down."""
    if home.shares_cloud:
        return
    resources = Store(home.cloud).read().resources
    left = [f"  {resources[id_].token} {id_}" for id_ in sorted(resources.keys() - set(known))]
    if left:
        kept = f".sandbox/{home.stack}"
        raise LeftBehind(
            "\n".join(
                [
                    f"stack {home.stack} is not gone: its cloud has what no state knows, as after a kill:",
                    *left,
                    "On Google they would stay and could cost money, until somebody deletes them by hand.",
                    "Those of which the state has a note are taken in before a destroy: `pulumi refresh",
                    "--import-pending-creates URN --import-pending-creates ID`.",
                    f"Here {kept} is kept for a look; `rm -r {kept} {kept}.lock` removes it for good.",
                ]
            )
        )


def _made(home: Home, operations: list[dict[str, Any]], there: set[str]) -> dict[str, dict[str, Any]]:
    """The resources, as they belong into the state, of all creations that ended in the cloud alone, by URN."""
    found: dict[str, dict[str, Any]] = {}
    records = Store(home.cloud).read().resources
    for operation in operations:
        resource: dict[str, Any] = operation["resource"]
        if operation["type"] != "creating" or resource["urn"] in there:
            continue
        secret = {name: value for name, value in resource["inputs"].items() if SIGNATURE in json.dumps(value)}
        for id_, record in records.items():
            if record.token == resource["type"] and _asked(record, resource["inputs"], secret):
                outputs = {**record.outputs, **secret}
                found[resource["urn"]] = {**resource, "id": id_, "outputs": outputs}
    return found


def _asked(record: Record, inputs: dict[str, Any], secret: Iterable[str]) -> bool:
    """Whether the record is of what was asked for. What is secret is encrypted in the state, and not compared."""
    left_out = {_FILLED_IN, *secret}
    return {name: value for name, value in inputs.items() if name not in left_out} == {
        name: value for name, value in record.inputs.items() if name not in left_out
    }
