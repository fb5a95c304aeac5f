"""Keeps the folders of a node's cache: makes those that servers mount, and empties others once all are too large.

A folder that a server of the plan uses is never emptied; of what servers have compiled, the latest is kept.
"""

import argparse
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

GIB = 1 << 30
PERIOD = 30.0


def prepare(root: Path, wanted: Sequence[str], user: int) -> None:
    """Makes the folders, for the servers' user alone. A pod that mounts one waits until it is there."""
    root.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        folder = root / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        os.chown(folder, user, user)


def used(folder: Path) -> int:
    """Bytes on the disk."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total


def evict(root: Path, wanted: Sequence[str], bound: int, kernels: int) -> list[str]:
    """Empties what no server of the plan uses, the longest unused first, while the cache is above its bound; and of
    each folder's compiled kernels the oldest, while they are more than `kernels`."""
    gone: list[str] = []
    for name in wanted:
        gone += _evict(_oldest(root / name / "kernels")[:-1], root / name / "kernels", kernels, shutil.rmtree)
    strangers = [folder for folder in _oldest(root) if folder.name not in wanted and any(folder.iterdir())]
    return gone + _evict(strangers, root, bound, _empty)


def _evict(candidates: Sequence[Path], around: Path, bound: int, act: Callable[[Path], None]) -> list[str]:
    total, gone = used(around), list[str]()
    for folder in candidates:
        if total <= bound:
            break
        total -= used(folder)
        # What a pod deletes or writes meanwhile is seen at the next look.
        with suppress(OSError):
            act(folder)
        gone.append(str(folder))
    return gone


def _empty(folder: Path) -> None:
    """Leaves the folder itself: a pod of the update before may still mount it, and then starts with an empty one."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


def _oldest(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)


def end(*_: Any) -> None:
    """As the first process of its container it would not be ended by a signal that it does not handle."""
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="node_cache")
    parser.add_argument("root", type=Path)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--user", type=int, required=True)
    parser.add_argument("--bound", type=int, required=True, help="GiB")
    parser.add_argument("--kernels", type=int, required=True, help="GiB")
    said = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    while True:
        prepare(said.root, said.folders, said.user)
        for folder in evict(said.root, said.folders, said.bound * GIB, said.kernels * GIB):
            print(f"emptied {folder}", flush=True)
        time.sleep(PERIOD)


if __name__ == "__main__":
    main()
