"""Reads Pulumi's event log: what happens to each resource, and the messages of Pulumi and of policies.

The steps of one resource (delete the old, create the new, replace) become one change.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from policy.resources import PULUMI_UNKNOWN
from review.secrets import MASK, is_secret, scrub

STACK_TYPE = "pulumi:pulumi:Stack"
UNKNOWN = "known after the update"


class Action(StrEnum):
    """What happens to a resource, the most serious first."""

    REPLACE = "replace"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"
    SAME = "same"


_ACTIONS = {
    "replace": Action.REPLACE,
    "create-replacement": Action.REPLACE,
    "delete-replaced": Action.REPLACE,
    "read-replacement": Action.REPLACE,
    "import-replacement": Action.REPLACE,
    "discard-replaced": Action.REPLACE,
    "delete": Action.DELETE,
    "discard": Action.DELETE,
    "update": Action.UPDATE,
    "create": Action.CREATE,
    "import": Action.CREATE,
}
GRAVITY = {action: index for index, action in enumerate(Action)}

# Of the properties that replace a pool or a cluster, these are a person's decision; the others follow from them.
_DECIDED = (
    "machineType",
    "guestAccelerators",
    "spot",
    "flexStart",
    "reservationAffinity",
    "nodeLocations",
    "location",
    "name",
)


@dataclass(frozen=True)
class PropertyChange:
    path: str
    replaces: bool
    before: str
    after: str
    """The value after the change. Both are at most one line long, and never a secret."""


@dataclass(frozen=True)
class ResourceChange:
    urn: str
    type: str
    name: str
    parent: str
    """The URN of its parent."""
    custom: bool
    protect: bool
    action: Action
    properties: tuple[PropertyChange, ...]
    """The changed properties: those that replace the resource first, and among those a person's decisions first."""
    inputs: Mapping[str, Any]
    """The inputs after the change; for a deleted resource those before it."""

    @property
    def causes(self) -> tuple[str, ...]:
        """The paths of the properties that replace the resource."""
        return tuple(change.path for change in self.properties if change.replaces)

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]

    @property
    def runs_again(self) -> bool:
        """Whether it only runs again: a Job is replaced whenever what it tests changes, and that interrupts nothing."""
        return self.kind == "Job" and self.action is Action.REPLACE


@dataclass(frozen=True)
class Violation:
    rule: str
    mandatory: bool
    resource: str
    """The resource's URN; empty if the message is about the stack."""
    message: str


@dataclass(frozen=True)
class EventLog:
    resources: tuple[ResourceChange, ...]
    violations: tuple[Violation, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def first_error(self) -> str:
        """The first error as one line; empty if there is none. A line that only announces the next one is joined with
        it."""
        first, *rest = self.errors[0].splitlines() if self.errors else [""]
        return f"{first} {rest[0].strip()}" if first.endswith(":") and rest else first

    @property
    def changed(self) -> tuple[ResourceChange, ...]:
        return tuple(resource for resource in self.resources if resource.action is not Action.SAME)


def read_events(lines: Iterable[str]) -> EventLog:
    """Reads the lines of an event log. Raises ValueError if a line is not an event."""
    steps: dict[str, list[dict[str, Any]]] = {}
    violations: dict[Violation, None] = {}
    said: dict[str, dict[str, None]] = {"error": {}, "warning": {}}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        event = _event(line)
        if event is None:
            raise ValueError(f"line {number} is not an event")
        if "resourcePreEvent" in event:
            step: dict[str, Any] = event["resourcePreEvent"]["metadata"]
            steps.setdefault(str(step["urn"]), []).append(step)
        elif "policyEvent" in event:
            violations[_violation(event["policyEvent"])] = None
        elif "diagnosticEvent" in event:
            diagnostic = event["diagnosticEvent"]
            text = _plain(str(diagnostic.get("message", "")))
            # The Pulumi engine repeats the error that ended the program.
            text = text.removeprefix("an unhandled error occurred: ")
            if diagnostic.get("severity") in said and text:
                said[diagnostic["severity"]][text] = None
    return EventLog(
        resources=tuple(_resource(urn, of_one) for urn, of_one in steps.items()),
        violations=tuple(violations),
        errors=tuple(said["error"]),
        warnings=tuple(said["warning"]),
    )


def no_log(file: Path, error: OSError | ValueError) -> str:
    """The message for a file from which no events could be read."""
    return f"{file} is no event log: {error.strerror if isinstance(error, OSError) else error}"


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return cast(dict[str, Any], event) if isinstance(event, dict) else None


def _violation(event: dict[str, Any]) -> Violation:
    return Violation(
        rule=str(event.get("policyName", "")),
        mandatory=event.get("enforcementLevel") == "mandatory",
        resource=str(event.get("resourceUrn") or ""),
        message=_plain(str(event.get("message", ""))),
    )


def _plain(text: str) -> str:
    """The text without the Pulumi engine's marks for colours."""
    return scrub(re.sub(r"<\{%[^%]*%\}>", "", text)).strip()


def _resource(urn: str, steps: list[dict[str, Any]]) -> ResourceChange:
    actions = [_ACTIONS.get(str(step["op"]), Action.SAME) for step in steps]
    action = min(actions, key=GRAVITY.__getitem__)
    # Among the steps of a replacement, the one with the reason has the diff and both states.
    step = max(steps, key=lambda one: (bool(one.get("detailedDiff")), bool(one.get("keys")), bool(one.get("new"))))
    new, old = _state(step, "new"), _state(step, "old")
    state = new or old
    type_ = str(step.get("type", ""))
    return ResourceChange(
        urn=urn,
        type=type_,
        name=urn.rsplit("::", 1)[-1],
        parent=str(state.get("parent", "")),
        custom=bool(state.get("custom")),
        protect=bool(state.get("protect") or old.get("protect")),
        action=action,
        properties=_properties(type_, step, old, new) if action in (Action.UPDATE, Action.REPLACE) else (),
        inputs=state.get("inputs") or {},
    )


def _state(step: dict[str, Any], side: str) -> dict[str, Any]:
    return step.get(side) or {}


def _properties(
    type_: str, step: dict[str, Any], old: dict[str, Any], new: dict[str, Any]
) -> tuple[PropertyChange, ...]:
    detailed: dict[str, Any] = step.get("detailedDiff") or {}
    keys: set[str] = {str(key) for key in cast(list[Any], step.get("keys") or [])}
    found = {path: str(diff.get("diffKind", "")).endswith("replace") for path, diff in detailed.items()}
    # If the program itself asked for the replacement, its key may be missing in the detailed diff.
    for key in [*keys, *(str(one) for one in cast(list[Any], step.get("diffs") or []))]:
        if not any(_top(path) == _top(key) for path in found):
            found[key] = key in keys
    for path in found:
        found[path] = found[path] or (path in keys or (_top(path) in keys and not any(found.values())))
    changes: list[PropertyChange] = []
    for path, replaces in sorted(found.items(), key=lambda item: (not item[1], _importance(item[0]), item[0])):
        before = _before(type_, path, detailed.get(path) or {}, old)
        after = _shown(type_, path, new.get("inputs") or {})
        # Values that look equal differ only in parts that are unknown or masked, which says nothing.
        before, after = ("", "") if before == after else (before, after)
        changes.append(PropertyChange(path=path, replaces=replaces, before=before, after=after))
    return tuple(changes)


def _importance(path: str) -> int:
    words = path.replace("[", ".").split(".")
    return next((index for index, word in enumerate(_DECIDED) if word in words), len(_DECIDED))


def _before(type_: str, path: str, diff: dict[str, Any], old: dict[str, Any]) -> str:
    """The value before: that of the program or the real one, whichever the Pulumi engine compared."""
    said, there = (_shown(type_, path, old.get(side) or {}) for side in ("inputs", "outputs"))
    return said if diff.get("inputDiff") or not there else there


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _shown(type_: str, path: str, inputs: Mapping[str, Any]) -> str:
    value: Any = inputs
    variable = ""
    for part in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        name, index, plain = part
        if index and isinstance(value, list):
            items = cast(list[Any], value)
            value = items[int(index)] if int(index) < len(items) else None
        elif isinstance(value, dict):
            # The name of an environment variable already tells whether its value is secret.
            variable = str(cast(dict[str, Any], value).get("name", ""))
            value = cast(dict[str, Any], value).get(name or plain or index)
        else:
            value = None
    if value is None:
        return ""
    if is_secret(type_, path) or (variable and is_secret(type_, variable)):
        return MASK
    return _short(value)


def _short(value: Any, limit: int = 60) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    for mark in PULUMI_UNKNOWN:
        text = text.replace(mark, UNKNOWN)
    # Mask before cutting: a secret that is cut in two would not be recognised.
    text = " ".join(scrub(text).split())
    if len(text) <= limit:
        return text
    # In a long path, such as the name of one of Google's resources, the end is what tells it apart.
    if "/" in text and " " not in text:
        end = text[1 - limit :]
        return "…" + end[max(0, end.find("/")) :]
    return text[: limit - 1] + "…"
