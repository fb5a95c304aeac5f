"""What a killed Pulumi engine leaves running is ended before the next command; nothing else is."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.leftovers import end_leftovers
from tests.sandbox.waiting import wait_for

ENGINE = "sleep 600 & echo $!; wait"
"""Starts something, as the Pulumi engine starts its providers, and waits for it."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """An engine with the temporary folder, which leads its session, and the pid of its provider."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = ["sh", "-c", ENGINE]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        provider = int(process.stdout.readline())
        yield process, provider
        for pid in (process.pid, provider):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_provider_of_a_living_engine_stays(engine: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    process, provider = engine
    end_leftovers(tmp_path)
    assert process.poll() is None and alive(provider)


def test_the_provider_of_a_killed_engine_is_ended(engine: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    process, provider = engine
    process.kill()
    process.wait()
    end_leftovers(tmp_path / "of another stack")
    assert alive(provider)
    end_leftovers(tmp_path)
    wait_for("the provider has ended", lambda: not alive(provider))
