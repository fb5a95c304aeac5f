"""The cache of tools: one folder for each content key. It is complete or absent, even after an interruption.

An entry knows the checkouts that use it, so that `prune` can tell what none needs any more.
"""

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.locks import taken

Report = Callable[[str], None]

SIGN_OF_LIFE_SECONDS = 20.0
_CHECKOUT = Path(__file__).resolve().parents[2]
_USERS = ".used-by"
"""The folder in an entry with a file for each checkout that uses it; the file holds the checkout's path."""
_ENTRY = re.compile(r"(?P<name>.+)-[0-9a-f]{16}")


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
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with _lock(name, report):
                if not folder.is_dir():
                    _make(name, folder, make)
        _use(name, folder)
    except FileNotFoundError:  # `prune` of another checkout was faster
        return entry(name, key, make, report)
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


def _use(name: str, folder: Path) -> None:
    """Notes that this checkout uses the entry, and no longer another of the same name; not in a cache that it may only
    read."""
    note = hashlib.sha256(str(_CHECKOUT).encode()).hexdigest()[:16]
    if (folder / _USERS / note).exists() or (folder.is_dir() and not os.access(folder, os.W_OK)):
        return
    for other in _folders():
        if other != folder and _name(other) == name:
            (other / _USERS / note).unlink(missing_ok=True)
    (folder / _USERS).mkdir(exist_ok=True)
    for old in _notes(folder):
        # A checkout that is gone is never noted again: without this its note would stay until the tools go.
        if not _is_there(old):
            old.unlink(missing_ok=True)
    (folder / _USERS / note).write_text(str(_CHECKOUT), encoding="utf-8")


@dataclass(frozen=True)
class Entry:
    """A folder of the cache."""

    folder: Path
    size: int
    """Bytes on the disk."""
    checkouts: tuple[Path, ...]
    """The checkouts that use it and are still there."""


def entries() -> tuple[Entry, ...]:
    """All complete entries, by name."""
    return tuple(Entry(folder, _size(folder), _checkouts(folder)) for folder in _folders())


def prune(report: Report) -> int:
    """Deletes the entries that no checkout uses, and says which. Returns the bytes that are free by it."""
    freed = 0
    for found in entries():
        if found.checkouts:
            continue
        with _lock(_name(found.folder), report):
            if _checkouts(found.folder):
                continue
            # Under another name first: whoever looks finds it whole or not at all.
            leaving = found.folder.with_name(f".{found.folder.name}.partial")
            found.folder.rename(leaving)
        shutil.rmtree(leaving)
        report(f"deleted {found.folder.name}")
        freed += found.size
    return freed


def _folders() -> list[Path]:
    if not cache_folder().is_dir():
        return []
    return sorted(each for each in cache_folder().iterdir() if _ENTRY.fullmatch(each.name) and each.is_dir())


def _name(folder: Path) -> str:
    match = _ENTRY.fullmatch(folder.name)
    return match["name"] if match else folder.name


def _checkouts(folder: Path) -> tuple[Path, ...]:
    return tuple(Path(note.read_text(encoding="utf-8")) for note in _notes(folder) if _is_there(note))


def _notes(folder: Path) -> list[Path]:
    return sorted((folder / _USERS).glob("*"))


def _is_there(note: Path) -> bool:
    """Whether the checkout that a note names still is one."""
    return (Path(note.read_text(encoding="utf-8")) / "sandbox" / "tools").is_dir()


def _size(folder: Path) -> int:
    files = [each.lstat() for each in (folder, *folder.rglob("*"))]
    return sum({each.st_ino: each.st_blocks * 512 for each in files}.values())


@contextmanager
def _lock(name: str, report: Report) -> Generator[None]:
    """Lets one process at a time make an entry. The system releases the lock of a process that dies."""
    with (cache_folder() / f"{name}.lock").open("w") as handle:
        waited = 0.0
        while not taken(handle.fileno()):
            if waited % SIGN_OF_LIFE_SECONDS == 0:
                report(f"waiting for another process that is making {name} ({waited:.0f} s)")
            time.sleep(0.5)
            waited += 0.5
        yield
