"""`make doctor` in this process, against a stand-in in this process: a stack, a situation, and the rows of it."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import read_stack_file
from maintenance.reservations import reservations_of
from planning.platform import plan_platform
from sandbox.cloud.situation import Situation
from sandbox.cloud.store import State
from sandbox.cloud.tables import Reservation, Tables
from sandbox.google.server import Exchange, World, serve_google
from sandbox.project import CANARY_TOKEN, PROJECT_ID
from tests.unit.google_rules import CHECKOUT
from verification.doctor.__main__ import main

PROJECT = PROJECT_ID
HOST = "acme-network"


@dataclass(frozen=True)
class Run:
    status: int
    said: str
    rows: dict[tuple[str, str], tuple[str, str]]
    """Result and detail by subject and check."""
    exchanges: list[Exchange]

    def failed(self) -> dict[tuple[str, str], str]:
        return {key: detail for key, (result, detail) in self.rows.items() if result == "FAILED"}

    def unseen(self) -> dict[tuple[str, str], str]:
        return {key: detail for key, (result, detail) in self.rows.items() if result == "not observable"}


class Doctor:
    """One test's: everything that leads to the stand-in is set for this test alone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def examine(
        self,
        stack: str = "production",
        *options: str,
        situation: Situation | None = None,
        state: State | None = None,
        changes: dict[str, Any] | None = None,
        reservations: Iterable[dict[str, Any]] | None = None,
        variables: dict[str, str | None] | None = None,
    ) -> Run:
        """`changes`: keys of the stack file; `reservations`: changed fields of those that the plan draws on."""
        self.write(stack, changes or {})
        rows = reservations_of(plan_platform(read_stack_file(self._folder, stack), stack), PROJECT)
        if reservations is not None:
            rows = [row | change for row, change in zip(rows, reservations, strict=False)]
        reserved = tuple(Reservation.model_validate(row) for row in rows)
        world = World(PROJECT, lambda: state or State(), Tables(), situation or Situation(), reserved)
        with serve_google(world) as google:
            self._write_key_of_nobody(Path(google.environment["GOOGLE_APPLICATION_CREDENTIALS"]))
            for name, value in {"HF_TOKEN": CANARY_TOKEN, **google.environment, **(variables or {})}.items():
                if value is None:
                    self._monkeypatch.delenv(name, raising=False)
                else:
                    self._monkeypatch.setenv(name, value.replace("GOOGLE", google.address))
            self._monkeypatch.chdir(self._folder)
            self._capsys.readouterr()
            status = main(["--stack", stack, "--project", PROJECT, "--registry-mirror", google.mirror, *options])
            captured = self._capsys.readouterr()
        said = captured.out + captured.err
        return Run(status, said, rows_of(captured.out), google.exchanges)

    def _write_key_of_nobody(self, key: Path) -> None:
        """Where nobody answers who would take it."""
        content = json.loads(key.read_text(encoding="utf-8")) | {"token_uri": "http://127.0.0.1:9/token"}
        (self._folder / "elsewhere.json").write_text(json.dumps(content), encoding="utf-8")

    def write(self, stack: str, changes: dict[str, Any]) -> None:
        """The stack's file in the test's own folder; None takes a key away."""
        source = CHECKOUT / f"Pulumi.{stack}.yaml"
        shutil.copy2(source, self._folder)
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
        for key, value in changes.items():
            content["config"].pop(f"inference-platform:{key}", None)
            if value is not None:
                content["config"][f"inference-platform:{key}"] = value
        (self._folder / source.name).write_text(yaml.safe_dump(content), encoding="utf-8")


def rows_of(said: str) -> dict[tuple[str, str], tuple[str, str]]:
    if not said:
        return {}
    header, *lines = said.split("\n\n")[0].splitlines()
    starts = [header.index(title) for title in ("SUBJECT", "CHECK", "RESULT", "DETAIL")]
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for line in lines:
        cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        assert (cells[0], cells[1]) not in found, f"two rows of one name: {line}"
        found[cells[0], cells[1]] = (cells[2], cells[3])
    return found
