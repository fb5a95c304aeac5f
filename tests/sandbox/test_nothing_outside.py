"""No command leaves anything outside the checkout: also not one that is killed, once the next has run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import Checkout, copy_checkout
from tests.sandbox.waiting import wait_for

COMMANDS = ("plan", "doctor", "render", "report", "preview", "up", "kubectl", "status", "verify", "destroy")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stands for the system's temporary folder, and for the home folder of whoever runs commands."""
    folder = tmp_path_factory.mktemp("outside")
    before = {name: os.environ.get(name) for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
    # The tools' cache stays where it is, and is the one place that commands may write to.
    os.environ["XDG_CACHE_HOME"] = before["XDG_CACHE_HOME"] or str(Path.home() / ".cache")
    os.environ["TMPDIR"] = os.environ["HOME"] = str(folder)
    yield folder
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def there(outside: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    yield checkout
    checkout.make("destroy", "dev")


def _left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("target", COMMANDS)
def test_a_command_leaves_no_file_or_folder_outside(there: Checkout, outside: Path, target: str) -> None:
    arguments = {"ARGS": "get pods -A"} if target == "kubectl" else {}
    there.succeed(target, "dev", **arguments)
    assert _left(outside) == []


def _killed_up(there: Checkout) -> Path:
    """Kills `up` at the first resource. Returns the Pulumi engine's state."""
    command = ["make", "--no-print-directory", "up", "STACK=dev"]
    with subprocess.Popen(
        command, cwd=there.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as running:
        wait_for("the first resource", (there.folder / ".sandbox" / "dev" / "cloud.json").exists)
        os.killpg(running.pid, signal.SIGKILL)
    (state,) = (there.folder / ".sandbox" / "dev" / "state").rglob("dev.json")
    return state


def test_after_a_killed_command_the_next_one_tidies_up(there: Checkout, outside: Path) -> None:
    state = _killed_up(there)
    assert not list(state.parent.glob("*.attrs")), "a kill would leave them half written, and the state unreadable"
    there.succeed("destroy", "dev")
    assert _left(outside) == []
    assert not (there.folder / ".sandbox").exists()
    wait_for("no process", lambda: there.processes() == [])


@pytest.mark.parametrize("target", ["doctor", "render", "report"])
def test_a_killed_command_that_needs_no_sandbox_leaves_nothing_outside(
    there: Checkout, outside: Path, target: str
) -> None:
    place = there.folder / ".scratch"
    command = ["make", "--no-print-directory", target, "STACK=dev"]
    with subprocess.Popen(
        command, cwd=there.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as running:
        wait_for("a file", lambda: any(path.is_file() for path in place.glob("*/**/*")))
        os.killpg(running.pid, signal.SIGKILL)
    assert _left(outside) == []
    there.make("doctor", "dev")
    assert not list(place.glob("*/"))


def test_what_the_pulumi_engine_says_of_an_unreadable_state_is_told(there: Checkout) -> None:
    state = _killed_up(there)
    wait_for("no process", lambda: there.processes() == [])
    whole = state.read_text()
    state.write_text(whole[: len(whole) // 2])
    refused = there.make("destroy", "dev")
    state.write_text(whole)
    there.succeed("destroy", "dev")
    assert refused.returncode
    assert "error: " in refused.stderr and "checkpoint" in refused.stderr, refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_checkout_itself_is_as_git_has_it(there: Checkout) -> None:
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    changed = subprocess.run(status, cwd=there.folder, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in changed if not line.startswith("A ")] == []
