"""Fetches checkpoints into a folder of the node that the pods of a model share, once, and checks every file.

It writes the folder as the hub's own client would find it, so that vLLM reads it with HF_HUB_OFFLINE=1. A revision is
pinned to the commit that it named at the first fetch. What is complete is not asked for again: no request is made.
"""

import argparse
import fcntl
import http.client
import json
import os
import re
import sys
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.manifests.programs.hub_files import (
    TRIES_OF_LIST,
    Failed,
    File,
    Hub,
    Interrupted,
    needed,
    patiently,
    say,
)
from components.manifests.programs.pod_hub import hub_of_the_pod
from components.manifests.programs.pod_process import end_when_told, mark_used

CHUNK = 1 << 20
AT_ONCE = 8
"""Files that are fetched at the same time."""
GIB = 1 << 30
REVISION = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")


class Checkpoint:
    """One repository at one revision in the layout of the hub's client: blobs, snapshots and refs."""

    def __init__(self, cache: Path, repository: str, revision: str) -> None:
        self.repository, self.revision = repository, revision
        self._folder = cache / f"models--{repository.replace('/', '--')}"
        self._blobs = self._folder / "blobs"
        self._ref = self._folder / "refs" / revision

    def complete(self) -> bool:
        """Whether all of it is here, which is said without a request."""
        try:
            commit = self._ref.read_text(encoding="utf-8")
            rows = json.loads(self._mark(commit).read_text(encoding="utf-8"))
            return all((self._blobs / digest).stat().st_size == size for _, size, digest in rows)
        except (OSError, ValueError):
            return False

    def missing(self, files: Sequence[File]) -> list[File]:
        """The largest first, so that the last to end is a small one."""
        return sorted((file for file in files if not self._has(file)), key=lambda file: -file.size)

    def _has(self, file: File) -> bool:
        blob = self._blobs / file.digest
        return blob.exists() and blob.stat().st_size == file.size

    def left(self, files: Sequence[File]) -> int:
        """Bytes that are still to be fetched."""
        return sum(file.size - _size(self._partial(file)) for file in self.missing(files))

    def fetch(self, hub: Hub, commit: str, file: File) -> None:
        """Continues what an earlier try has left, and keeps the file only once its digest is right."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        partial = self._partial(file)
        hasher = file.hasher()
        with partial.open("a+b") as kept:
            kept.seek(0)
            while chunk := kept.read(CHUNK):
                hasher.update(chunk)
            begin = kept.tell()
            if begin < file.size or not file.size:
                with hub.content(self.repository, commit, file, begin) as (answer, begins):
                    if begins != begin:
                        kept.truncate(0)
                        hasher = file.hasher()
                    self._receive(answer, kept, hasher, file)
            kept.flush()
            os.fsync(kept.fileno())
            size = kept.tell()
        if size > file.size:
            partial.unlink()
            raise Interrupted(f"{self.repository}: {file.name} is too long: it has {file.size} bytes, and more came")
        if size < file.size:
            raise Interrupted(f"{self.repository}: {file.name} is truncated: {size} of {file.size} bytes came")
        if hasher.hexdigest() != file.digest:
            partial.unlink()
            raise Interrupted(f"{self.repository}: {file.name} is corrupt: its digest is not the hub's")
        partial.replace(self._blobs / file.digest)

    def _receive(self, answer: Any, kept: Any, hasher: Any, file: File) -> None:
        try:
            while chunk := answer.read(CHUNK):
                kept.write(chunk)
                hasher.update(chunk)
                if kept.tell() > file.size:
                    return
        except (http.client.HTTPException, TimeoutError, ConnectionError):
            # What came is kept, and its size tells that it is not all.
            return

    def publish(self, commit: str, files: Sequence[File]) -> None:
        """Shows the checkpoint to the hub's client; nothing of it is seen before."""
        snapshot = self._folder / "snapshots" / commit
        for file in files:
            link = snapshot / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            up = "/".join([".."] * (file.name.count("/") + 2))
            link.unlink(missing_ok=True)
            link.symlink_to(f"{up}/blobs/{file.digest}")
        _write(self._mark(commit), json.dumps([[file.name, file.size, file.digest] for file in files]))
        _write(self._ref, commit)

    def _mark(self, commit: str) -> Path:
        return self._folder / "complete" / f"{commit}.json"

    def _partial(self, file: File) -> Path:
        return self._blobs / f"{file.digest}.incomplete"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


class Fetch:
    """All files of one checkpoint, several at a time; the first failure ends it."""

    def __init__(self, hub: Hub, checkpoint: Checkpoint, pause: float) -> None:
        self._hub, self._checkpoint, self._pause = hub, checkpoint, pause
        self._stop = threading.Event()

    def run(self, room: int) -> None:
        checkpoint = self._checkpoint
        commit, files = patiently(
            lambda: self._hub.files(checkpoint.repository, checkpoint.revision, needed),
            self._pause,
            self._stop,
            TRIES_OF_LIST,
        )
        total, left = sum(file.size for file in files), checkpoint.left(files)
        if total > room:
            raise Failed(
                f"{checkpoint.repository} has {total / GIB:.1f} GiB of files, and the plan keeps {room / GIB:.1f} GiB "
                "for them: write weights.sizeGib"
            )
        say(f"{checkpoint.repository}: {left / GIB:.2f} of {total / GIB:.2f} GiB to fetch, commit {commit}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            tries = [pool.submit(self._file, commit, file) for file in checkpoint.missing(files)]
        for failure in (each.result() for each in tries):
            if failure is not None:
                raise failure
        checkpoint.publish(commit, files)
        say(f"{checkpoint.repository}: {len(files)} files are complete")

    def _file(self, commit: str, file: File) -> Failed | None:
        if self._stop.is_set():
            return None
        try:
            patiently(lambda: self._checkpoint.fetch(self._hub, commit, file), self._pause, self._stop)
        except Failed as error:
            self._stop.set()
            return error
        except OSError as error:
            self._stop.set()
            return Failed(f"{self._checkpoint.repository}: {file.name} cannot be written: {error.strerror or error}")
        return None


@contextmanager
def only_one(lock: Path) -> Generator[None]:
    """One pod of the node fetches; the others wait, and find all of it there."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another pod of this node fetches; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch_all(folder: Path, repositories: Sequence[str], hub: Hub, room: int, pause: float) -> None:
    """`repositories`: each as OWNER/NAME or OWNER/NAME@REVISION."""
    wanted = [Checkpoint(folder / "hub", *_parts(each)) for each in repositories]
    with only_one(folder / "lock"):
        for checkpoint in wanted:
            if checkpoint.complete():
                say(f"{checkpoint.repository}: complete, nothing is asked for")
            else:
                Fetch(hub, checkpoint, pause).run(room)


def _parts(repository: str) -> tuple[str, str]:
    name, _, revision = repository.partition("@")
    if not REVISION.fullmatch(revision or "main"):
        raise Failed(f"{name}: {revision!r} is no name of a revision")
    return name, revision or "main"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fetch_weights")
    parser.add_argument("folder", type=Path)
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--kernels", required=True, help="name of the folder of what this server compiles")
    parser.add_argument("--room", type=float, required=True, help="GiB")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds before the second try; then twice as long")
    said = parser.parse_args(words)
    end_when_told()
    try:
        mark_used(said.folder / "kernels" / said.kernels)
        fetch_all(said.folder, said.repositories, hub_of_the_pod(), int(said.room * GIB), said.pause)
    except (Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
