"""Creations that a killed Pulumi engine did not see end.

The engine notes a creation in its state before it asks for it, and the cloud goes on with it also when the engine is
killed. On Google a person takes such a resource in by `pulumi import`, and must know its id; here the cloud's own
record tells it, or the cluster. `pulumi refresh --import-pending-creates` forgets the note and takes nothing in:
`pendingCreatesToImports` in `pkg/cmd/pulumi/operations/refresh.go` of Pulumi marks the note, and no engine reads the
mark (read and tried on 2026-11-29).
"""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from sandbox.cloud.store import Record, Store
from sandbox.cloud.values import SIGNATURE
from sandbox.cluster import ControlPlane
from sandbox.home import Home
from sandbox.pulumi_engine import PulumiEngine
from sandbox.sharing import tenants

_FILLED_IN = "__defaults"
"""The input in which the Pulumi bridge lists what it filled in; the cloud does not keep it."""
_NAMED_BY_PULUMI = "pulumi.com/autonamed"
"""The annotation by which the Kubernetes provider marks an object whose name it chose (pulumi-kubernetes,
`AssignNameIfAutonamable` in `provider/pkg/metadata/naming.go`, read on 2026-11-29)."""


class LeftBehind(Exception):
    """The cloud has resources that no state knows; the message names them, and says what to do."""


def take_in(running: PulumiEngine, planes: Iterable[ControlPlane], tell: Callable[[str], None]) -> None:
    """Takes what was made since in the cloud and the stack's clusters into the state, as if the engine had seen it.

    Of a cloud that several stacks share nothing is taken in: it may be another one's.
    """
    home = running.home
    state = running.stack.export_stack()
    deployment = cast(dict[str, Any], state.deployment or {})
    resources: list[dict[str, Any]] = deployment.get("resources") or []
    there = {each["urn"] for each in resources}
    operations: list[dict[str, Any]] = deployment.get("pending_operations") or []
    begun: list[dict[str, Any]] = [each["resource"] for each in operations if each["type"] == "creating"]
    # A note has no inputs where the resource takes none, and nothing then tells it from another one.
    begun = [resource for resource in begun if resource["urn"] not in there and "inputs" in resource]
    shared = home.shares_cloud or bool(tenants(home))
    made: list[dict[str, Any]] = [*([] if shared else _made_in_cloud(home, begun)), *_made_in_clusters(planes, begun)]
    found: dict[str, dict[str, Any]] = {each["urn"]: each for each in made}
    if not found:
        return
    # Whoever imports a state drops all notes of the engine's with it, and warns of each, so drop them here.
    state.deployment = {**deployment, "resources": [*resources, *found.values()], "pending_operations": []}
    running.stack.import_stack(state)
    for each in found.values():
        tell(
            f"{each['type']} {each['id']} was made while a command was killed; it is in the state now. On Google: "
            f"`{import_command(each)}`"
        )


def import_command(made: dict[str, Any]) -> str:
    """The command line that takes a resource into the state: that of docs/operations.md, with the id."""
    urn, provider = made["urn"], made["provider"].rsplit("::", 1)[0]
    return shlex.join(
        [
            *("pulumi", "import", made["type"], urn.rsplit("::", 1)[1], made["id"]),
            *("--parent", f"parent={made['parent']}", "--provider", f"provider={provider}"),
            *("--protect=false", "--generate-code=false"),
        ]
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
                    "Those of which the state has a note are taken in before a destroy, by `pulumi import`.",
                    f"Here {kept} is kept for a look; `rm -r {kept} {kept}.lock` removes it for good.",
                ]
            )
        )


def _made_in_cloud(home: Home, begun: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Those that the cloud has, as they belong into the state."""
    records = Store(home.cloud).read().resources
    for resource in begun:
        secret = {name: value for name, value in resource["inputs"].items() if SIGNATURE in json.dumps(value)}
        for id_, record in records.items():
            if record.token == resource["type"] and _asked(record, resource["inputs"], secret):
                yield {**resource, "id": id_, "outputs": {**record.outputs, **secret}}


def _made_in_clusters(planes: Iterable[ControlPlane], begun: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Those objects that have a name of Pulumi's choice: the next command would make them again, under another name.

    An object with a name of its own needs nothing: the provider applies it once more, and waits until it is ready.
    """
    running = [plane for plane in planes if plane.running()]
    for resource in begun:
        inputs: dict[str, Any] = resource["inputs"]
        metadata: dict[str, Any] = inputs.get("metadata") or {}
        annotations: dict[str, str] = metadata.get("annotations") or {}
        if annotations.get(_NAMED_BY_PULUMI) != "true":
            continue
        name, namespace = metadata["name"], metadata.get("namespace", "default")
        query = ("get", inputs["kind"], name, "--namespace", namespace, "--ignore-not-found", "--output=name")
        if any(plane.kubectl(*query).strip() for plane in running):
            yield {**resource, "id": f"{namespace}/{name}", "outputs": inputs}


def _asked(record: Record, inputs: dict[str, Any], secret: Iterable[str]) -> bool:
    """Whether the record is of what was asked for. What is secret is encrypted in the state, and not compared."""
    left_out = {_FILLED_IN, *secret}
    return {name: value for name, value in inputs.items() if name not in left_out} == {
        name: value for name, value in record.inputs.items() if name not in left_out
    }
