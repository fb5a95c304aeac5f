"""No command leaves anything outside the checkout: also not one that is killed, once the next has run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import Checkout, copy_checkout
from tests.sandbox.waiting import wait_for


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
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("target", ["plan", "preview", "up", "kubectl", "status", "verify", "destroy"])
def test_a_command_leaves_no_file_outside(there: Checkout, outside: Path, target: str) -> None:
    arguments = {"ARGS": "get pods -A"} if target == "kubectl" else {}
    there.succeed(target, "dev", **arguments)
    assert _left(outside) == []


def test_after_a_killed_command_the_next_one_tidies_up(there: Checkout, outside: Path) -> None:
    command = ["make", "--no-print-directory", "up", "STACK=dev"]
    with subprocess.Popen(
        command, cwd=there.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as running:
        wait_for("the first resource", (there.folder / ".sandbox" / "dev" / "cloud.json").exists)
        os.killpg(running.pid, signal.SIGKILL)
    there.succeed("destroy", "dev")
    assert _left(outside) == []
    assert not (there.folder / ".sandbox").exists()
    wait_for("no process", lambda: there.processes() == [])


def test_the_checkout_itself_is_as_git_has_it(there: Checkout) -> None:
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    changed = subprocess.run(status, cwd=there.folder, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in changed if not line.startswith("A ")] == []
