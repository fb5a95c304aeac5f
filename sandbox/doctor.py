"""Runs the program's checks before `up` against the stand-in of Google, to which environment variables lead them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sandbox.cloud.scenario import read_scenario
from sandbox.cloud.store import State, Store
from sandbox.cloud.tables import Reservation, Tables
from sandbox.google.server import World, serve_google
from sandbox.home import Home
from sandbox.project import CANARY_TOKEN, PROJECT_ID
from sandbox.rows import parse


def doctor(home: Home, report: Path | None = None) -> int:
    """The exit status of the checks.

    Raises NoModule if the program has none, and InvalidTable if the scenario is not one.
    """
    module = home.profile.required(home.profile.doctor, "doctor")
    told = read_scenario(home.scenario)
    reserved = _reserved(home) if told.reservations is None else told.reservations
    tables = Tables(told.families, told.reservations)
    with serve_google(World(PROJECT_ID, lambda: _state(home), tables, told.google, reserved)) as google:
        command = [sys.executable, "-m", module, "--stack", home.stack, "--project", PROJECT_ID]
        command += ["--registry-mirror", google.mirror, *(["--report", str(report)] if report else [])]
        variables = {**os.environ, **google.environment, "HF_TOKEN": CANARY_TOKEN}
        return subprocess.run(command, cwd=home.checkout, env=variables, check=False).returncode


def _state(home: Home) -> State:
    """The state of the stack's cloud; it is empty, and stays so, if nothing is up."""
    return Store(home.cloud).read() if home.cloud.is_file() else State()


def _reserved(home: Home) -> tuple[Reservation, ...]:
    """The reservations that exist before the program comes to the project. None if the stack cannot be planned: the
    checks themselves tell that error."""
    if home.profile.reservations is None:
        return ()
    command = [sys.executable, "-m", home.profile.reservations, "--stack", home.stack, "--project", PROJECT_ID]
    run = subprocess.run(command, cwd=home.checkout, capture_output=True, text=True, check=False)
    rows: list[Any] = json.loads(run.stdout) if run.returncode == 0 else []
    return tuple(parse(Reservation, row, home.profile.reservations) for row in rows)
