"""The cloud's own state: one JSON file that is locked for every change and replaced in one step.

Resources are kept under Google's ids, not Pulumi's, so that a rule sees what Google would see.
"""

import fcntl
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox.cloud.values import Properties, Value
from sandbox.objects import Objects

_FORMAT = 1
SERVICE = "gcp:projects/service:Service"


@dataclass(frozen=True)
class Record:
    """One resource as Google knows it."""

    token: str
    inputs: dict[str, Value]
    outputs: dict[str, Value]

    @property
    def properties(self) -> Properties:
        return Properties(self.outputs)


@dataclass
class State:
    """Everything that this cloud holds. Enabled services are settings of a project, and stay when its resources are
    deleted."""

    resources: dict[str, Record] = field(default_factory=dict[str, Record])
    services: dict[str, Record] = field(default_factory=dict[str, Record])
    filled: frozenset[str] = frozenset()
    """The names of the buckets that hold an object."""

    def shelf(self, token: str) -> dict[str, Record]:
        """The records of a kind, by id."""
        return self.services if token == SERVICE else self.resources

    def of(self, token: str) -> Iterator[tuple[str, Record]]:
        return ((id_, record) for id_, record in self.resources.items() if record.token == token)

    def get(self, token: str, id_: str | None) -> Record | None:
        record = self.resources.get(id_) if id_ else None
        return record if record and record.token == token else None


class BrokenState(Exception):
    """The state file is not a state of this cloud; the message names the file."""


class Store:
    """The state file. Threads and processes can use it at the same time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.objects = Objects(file.parent)
        file.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> State:
        if not self.file.exists():
            return State()
        try:
            data: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
            if data["format"] != _FORMAT:
                raise BrokenState(f"{self.file}: written by another version of the sandbox; remove it to start again")
            resources, services = _records(data["resources"]), _records(data["services"])
            return State(resources, services, self.objects.filled())
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenState(f"{self.file}: not a cloud's state ({error}); remove it to start again") from error

    @contextmanager
    def transaction(self) -> Generator[State]:
        """Yields the state for changes; it is written when the block ends, and dropped when the block raises."""
        with _exclusive(self.file.parent):
            state = self.read()
            yield state
            self._write(state)

    def _write(self, state: State) -> None:
        data = {"format": _FORMAT, "services": _data(state.services), "resources": _data(state.resources)}
        draft = self.file.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(data, stream, indent=1)
        draft.replace(self.file)


def _records(data: dict[str, Any]) -> dict[str, Record]:
    return {id_: Record(**record) for id_, record in data.items()}


def _data(records: dict[str, Record]) -> dict[str, Any]:
    return {id_: asdict(record) for id_, record in sorted(records.items())}


@contextmanager
def _exclusive(folder: Path) -> Generator[None]:
    """Locks the folder itself, so that no lock file remains."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
