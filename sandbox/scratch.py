"""Folders for what a command needs only while it runs. They lie in the checkout, so that nothing stays elsewhere when a
command is killed, and the next command that makes one removes what was left."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sandbox.locks import taken

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
        held = os.open(folder, os.O_RDONLY)
        taken(held)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_unless_held(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # its command has just ended
        return
    try:
        if taken(descriptor):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
