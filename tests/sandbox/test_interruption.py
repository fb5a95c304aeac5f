"""An `up` that is stopped or killed at any moment can be run again, and leaves no process and no lock behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.conftest import Checkout
from tests.sandbox.signals import BACKGROUND, TERMINAL, started_from

pytestmark = pytest.mark.timeout(600)


def _start(checkout: Checkout, where: signal.Handlers = TERMINAL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        started_from(where, ["make", "--no-print-directory", "up", "STACK=dev"]),
        cwd=checkout.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _wait_for(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}")


def _gone(condition: Callable[[], list[str]], seconds: float = 30) -> list[str]:
    """What the condition still finds after that long."""
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return condition()


def _engines(checkout: Checkout) -> list[str]:
    return [line for line in checkout.processes() if "pulumi" in line]


def _locks(checkout: Checkout) -> list[Path]:
    return list((checkout.folder / ".sandbox").glob("*/state/.pulumi/locks/**/*.json"))


@pytest.mark.parametrize(
    ("moment", "where"),
    [
        ("network-vpc created", TERMINAL),
        ("gke-cluster creating", BACKGROUND),
        ("hugging-face-serving created", TERMINAL),
    ],
)
def test_ctrl_c_stops_in_order_and_up_goes_on(checkout: Checkout, moment: str, where: signal.Handlers) -> None:
    process = _start(checkout, where)
    _wait_for(process, moment)
    # As a terminal does: to the whole foreground group.
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Traceback" not in rest
    assert _gone(lambda: _engines(checkout)) == []
    assert _locks(checkout) == []
    assert "Stack dev is up" in checkout.succeed("up", "dev")
    checkout.succeed("destroy", "dev")
    assert checkout.processes() == []


def test_a_killed_up_goes_on_where_it_was(checkout: Checkout) -> None:
    process = _start(checkout)
    _wait_for(process, "gke-cluster creating")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    # The Pulumi engine lives in a session of its own; it stops by itself when we are gone.
    assert _gone(lambda: _engines(checkout)) == []
    assert "Stack dev is up" in checkout.succeed("up", "dev")
    checkout.succeed("destroy", "dev")
    assert checkout.processes() == []
    assert not (checkout.folder / ".sandbox").exists()


def test_a_second_command_on_the_same_stack_is_told_to_wait(checkout: Checkout) -> None:
    process = _start(checkout)
    _wait_for(process, "network-vpc creat")
    second = checkout.make("preview", "dev")
    assert second.returncode != 0
    assert "another command is at work on stack dev" in second.stderr
    process.communicate(timeout=300)
    assert process.returncode == 0
    checkout.succeed("destroy", "dev")
