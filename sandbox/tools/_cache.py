"""The cache of tools: one folder for each content key. It is complete or absent, even after an interruption."""

import errno
import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

Report = Callable[[str], None]

SIGN_OF_LIFE_SECONDS = 20.0


class ToolsError(Exception):
    """A tool is missing and cannot be obtained; the message is one line that says what to do."""


def cache_folder() -> Path:
    """The folder in which the tools are kept for all runs and checkouts."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says that a relative XDG_CACHE_HOME is invalid and must be ignored.
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "inference-platform" / "tools"


def content_key(files: Iterable[Path], *words: str) -> str:
    """A short name for the content that a tool is made of: these files, these flags, this kind of machine."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    for word in (*words, platform.system(), platform.machine()):
        digest.update(f"{word}\0".encode())
    return digest.hexdigest()[:16]


def log_file(name: str) -> Path:
    """The file with the output of the programs that make an entry; it stays after a failure."""
    return cache_folder() / f"{name}.log"


def entry(name: str, key: str, make: Callable[[Path], None], report: Report) -> Path:
    """The cached folder of a key. On the first call `make` fills it under another name, and it is renamed once it is
    complete."""
    folder = cache_folder() / f"{name}-{key}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(name, report):
            if folder.is_dir():
                return folder
            _make(name, folder, make)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        reason = os.strerror(error.errno).lower()
        raise ToolsError(f"cannot write {folder.parent}: {reason}; XDG_CACHE_HOME names another place") from error
    return folder


def _make(name: str, folder: Path, make: Callable[[Path], None]) -> None:
    # Only the holder of the lock makes partial folders, so any other one is left from a killed run.
    for abandoned in folder.parent.glob(f".{name}-*.partial"):
        shutil.rmtree(abandoned, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=".partial", dir=folder.parent))
    try:
        make(partial)
        partial.chmod(0o755)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def _lock(name: str, report: Report) -> Generator[None]:
    """Lets one process at a time make an entry. The system releases the lock of a process that dies."""
    with (cache_folder() / f"{name}.lock").open("w") as handle:
        waited = 0.0
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited % SIGN_OF_LIFE_SECONDS == 0:
                    report(f"waiting for another process that is making {name} ({waited:.0f} s)")
                time.sleep(0.5)
                waited += 0.5
        yield
