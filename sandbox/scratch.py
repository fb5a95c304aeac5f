"""Folders for what a command needs only while it runs. They lie in the checkout, so that nothing stays elsewhere when a
command is killed, and the next command that makes one removes what was left."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

PLACE = Path(__file__).parents[1] / ".scratch"
_LOCK = "lock"


@contextmanager
def scratch_folder(use: str) -> Generator[Path]:
    """An empty folder, gone after the block; `use` begins its name."""
    PLACE.mkdir(exist_ok=True)
    with (PLACE / _LOCK).open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        for left in PLACE.glob("*/"):
            _remove_unless_held(left)
        folder = Path(tempfile.mkdtemp(prefix=f"{use}-", dir=PLACE))
        held = _hold(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _hold(folder: Path) -> int:
    """Holds the folder as long as the descriptor is open: the system closes that of a process that dies.

    Raises BlockingIOError if another one holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove_unless_held(folder: Path) -> None:
    # The folder of a command that ends just now may be gone already.
    with suppress(BlockingIOError, FileNotFoundError):
        held = _hold(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
