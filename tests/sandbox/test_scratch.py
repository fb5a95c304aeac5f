"""What a command needs only while it runs is in the checkout, and goes also when the command is killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import scratch
from sandbox.scratch import scratch_folder
from verification.load.__main__ import client_temporary

CHECKOUT = Path(__file__).parents[2]
PLACE = scratch.PLACE


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch, "PLACE", tmp_path / "scratch")
    return tmp_path / "scratch"


def _holder(place: Path) -> "subprocess.Popen[str]":
    """Another process with a folder there, which waits to be killed."""
    script = f"""
import sys
from pathlib import Path
from sandbox import scratch
scratch.PLACE = Path({str(place)!r})
with scratch.scratch_folder("render") as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_place_is_in_the_checkout() -> None:
    assert PLACE.parent == CHECKOUT
    ignored = subprocess.run(["git", "check-ignore", "-q", str(PLACE / "render-x")], cwd=CHECKOUT, check=False)
    assert ignored.returncode == 0


def test_a_folder_is_gone_after_the_block_also_after_an_error(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder("render") as folder:
        (folder / "file").touch()
        assert folder.parent == place
        raise ZeroDivisionError
    assert not list(place.glob("*/"))


def test_the_next_command_removes_what_a_killed_one_left_and_nothing_that_is_in_use(place: Path) -> None:
    with _holder(place) as running:
        assert running.stdout
        theirs = Path(running.stdout.readline().strip())
        with scratch_folder("report"):
            assert (theirs / "file").exists(), "it is in use"
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert (theirs / "file").exists(), "else this shows nothing"
        with scratch_folder("report") as ours:
            assert list(place.glob("*/")) == [ours]


def test_what_a_killed_test_of_load_left_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with client_temporary(tmp_path / "load" / "h200") as first:
        left = first / "socket"
        left.touch()
        # As if the first had been killed here.
        with client_temporary(tmp_path / "load" / "h200") as second:
            assert second == first and not left.exists()
    assert not first.exists()
