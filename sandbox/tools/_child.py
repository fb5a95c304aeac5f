"""Runs a long child process with its output in a log and signs of life on the screen, and ends it with this process."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sandbox.tools._cache import SIGN_OF_LIFE_SECONDS, Report

_SECONDS_TO_END = 10.0


@dataclass(frozen=True)
class Child:
    """A program to run. Its output goes to `log`; signs of life begin with `label`."""

    arguments: Sequence[str | Path]
    cwd: Path
    environment: Mapping[str, str]
    log: Path
    label: str

    def start(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.arguments,
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def run_child(wanted: Child, report: Report, seconds: float | None = None) -> bool:
    """Runs the program; returns whether it succeeded within that many seconds. None: however long it takes."""
    started = time.monotonic()
    with wanted.log.open("wb") as output, wanted.start(output) as child:
        try:
            while True:
                try:
                    return child.wait(_wait(started, seconds)) == 0
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - started
                    if seconds is not None and elapsed >= seconds:
                        _end(child)
                        return False
                    report(f"  {wanted.label}: {elapsed:.0f} s{_compiled(wanted.log)}")
        except BaseException:
            _end(child)
            raise


def _compiled(log: Path) -> str:
    # `go build -v` prints the name of each package that it compiles; whatever else it says has spaces.
    packages = sum(bool(line) and b" " not in line for line in log.read_bytes().splitlines())
    return f", {packages} packages compiled" if packages else ""


def _wait(started: float, seconds: float | None) -> float:
    if seconds is None:
        return SIGN_OF_LIFE_SECONDS
    return min(SIGN_OF_LIFE_SECONDS, max(0.0, started + seconds - time.monotonic()))


def _end(child: subprocess.Popen[bytes]) -> None:
    # SIGINT is what Ctrl-C sends: programs that have started others end those first.
    child.send_signal(signal.SIGINT)
    try:
        child.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        child.kill()
