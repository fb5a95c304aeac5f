"""Has a stack's checks before `up` ask the stand-in: the same command as at Google, led here by its own variables."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sandbox.cloud.scenario import read_scenario
from sandbox.cloud.store import State, Store
from sandbox.cloud.tables import Reservation, Tables
from sandbox.google.ordinary import reservations_of
from sandbox.google.server import World, serve_google
from sandbox.home import CANARY_TOKEN, PROJECT_ID, Home


def doctor(home: Home, report: Path | None = None) -> int:
    """The exit status of the checks. Raises InvalidTable if the scenario is not one."""
    told = read_scenario(home.scenario)
    reserved = _reserved(home) if told.reservations is None else told.reservations
    tables = Tables(told.families, told.reservations)
    with serve_google(World(PROJECT_ID, lambda: _state(home), tables, told.google, reserved)) as google:
        command = [sys.executable, "-m", "verification.doctor", "--stack", home.stack, "--project", PROJECT_ID]
        command += ["--registry-mirror", google.mirror, *(["--report", str(report)] if report else [])]
        variables = {**os.environ, **google.environment, "HF_TOKEN": CANARY_TOKEN}
        return subprocess.run(command, cwd=home.checkout, env=variables, check=False).returncode


def _state(home: Home) -> State:
    """What is up; looking at it leaves nothing behind."""
    return Store(home.cloud).read() if home.cloud.is_file() else State()


def _reserved(home: Home) -> tuple[Reservation, ...]:
    """None where there is no plan, whose errors the checks themselves say."""
    command = [sys.executable, "-m", "planning", "stack", home.stack, "--format", "json"]
    run = subprocess.run(command, cwd=home.checkout, capture_output=True, text=True, check=False)
    plan: dict[str, Any] = json.loads(run.stdout) if run.returncode == 0 else {"node_pools": []}
    return reservations_of(plan, PROJECT_ID)
