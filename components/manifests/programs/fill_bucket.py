"""Copies a checkpoint from the hub to a bucket, once, and checks every file on its way. It writes to no disk.

The revision is pinned by an object to the commit that it named at first, also where several fill at once. A file is an
object only once its digest was compared; one that was under way when the program was killed begins again. At the end
stands an object that names all files, without which no server starts. What is complete is not asked of the hub again.
"""

import argparse
import http.client
import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from components.manifests.programs.bucket_objects import (
    Bucket,
    Stored,
    Upload,
    is_complete,
    mark_of,
    streamed,
)
from components.manifests.programs.hub_files import Failed, File, Hub, Interrupted, patiently, say
from components.manifests.programs.pod_hub import hub_of_the_pod
from components.manifests.programs.pod_process import end_when_told

CHUNK = 1 << 20
AT_ONCE = 8
"""Files that are copied at the same time."""
GIB = 1 << 30


class Copy:
    """One file on its way. An interruption of the hub's goes on where it was."""

    def __init__(self, fill: "Fill", commit: str, file: File) -> None:
        self._fill, self._commit, self._file = fill, commit, file
        self._upload: Upload | None = None
        self._hasher = file.hasher()

    def go_on(self) -> Stored:
        fill, file = self._fill, self._file
        if self._upload is None:
            self._upload, self._hasher = Upload(fill.bucket, f"{fill.folder}/{file.name}", file), file.hasher()
        upload = self._upload
        if upload.taken < file.size:
            with fill.hub.content(fill.repository, self._commit, file, upload.taken) as (answer, begins):
                self._receive(answer, upload, upload.taken - begins)
        if upload.taken < file.size:
            raise Interrupted(f"{self._what} is truncated: {upload.taken} of {file.size} bytes came")
        self._upload = None
        if upload.taken > file.size:
            raise Interrupted(f"{self._what} is too long: it has {file.size} bytes, and more came")
        if self._hasher.hexdigest() != file.digest:
            raise Interrupted(f"{self._what} is corrupt: its digest is not the hub's")
        made = upload.finish()
        if made is None:
            raise Interrupted(f"{self._what} is corrupt: the bucket has other bytes than were sent")
        return made

    @property
    def _what(self) -> str:
        return f"{self._fill.repository}: {self._file.name}"

    def _receive(self, answer: Any, upload: Upload, known: int) -> None:
        """`known`: bytes at the beginning that came already, from a host that knows no ranges."""
        while upload.taken <= self._file.size:
            try:
                chunk = answer.read(CHUNK)
            except (http.client.HTTPException, TimeoutError, ConnectionError):
                return
            if not chunk:
                return
            fresh, known = chunk[known:], max(0, known - len(chunk))
            self._hasher.update(fresh)
            upload.take(fresh)


class Fill:
    """All files of one checkpoint, several at a time; the first failure ends it."""

    def __init__(self, hub: Hub, bucket: Bucket, repository: str, revision: str, folder: str) -> None:
        self.hub, self.bucket, self.repository, self.folder = hub, bucket, repository, folder
        self._revision = revision
        self._stop = threading.Event()

    def run(self) -> None:
        if is_complete(self.bucket, self.folder):
            say(f"{self.repository}: complete, nothing is asked for")
            return
        commit, files = self._pinned()
        there = self.bucket.stored(f"{self.folder}/")
        wanted = {file.name: file for file in files}
        for name in there.keys() - wanted.keys():
            # vLLM would read it.
            self.bucket.delete(f"{self.folder}/{name}")
        done = {name: each for name, each in there.items() if name in wanted and _is(each, wanted[name])}
        missing = sorted((file for file in files if file.name not in done), key=lambda file: -file.size)
        total, left = sum(file.size for file in files), sum(file.size for file in missing)
        say(f"{self.repository}: {left / GIB:.2f} of {total / GIB:.2f} GiB to copy, commit {commit}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            copies = [pool.submit(self._copy, commit, file) for file in missing]
        for file, copy in zip(missing, copies, strict=True):
            made = copy.result()
            if isinstance(made, Failed):
                raise made
            if made is not None:
                done[file.name] = made
        rows = {name: [each.size, each.md5, each.digest] for name, each in sorted(done.items())}
        self.bucket.write(mark_of(self.folder), json.dumps({"commit": commit, "files": rows}).encode())
        say(f"{self.repository}: {len(files)} files are complete")

    def _pinned(self) -> tuple[str, list[File]]:
        """The commit that the revision was at the first fill, and its files."""
        pin = f"commits/{self.folder}"
        known = self.bucket.read(pin)
        commit, files = self._files(known.decode() if known else self._revision)
        agreed = self.bucket.write_first(pin, commit.encode()).decode()
        return (commit, files) if agreed == commit else self._files(agreed)

    def _files(self, revision: str) -> tuple[str, list[File]]:
        return patiently(
            lambda: self.hub.files(self.repository, revision, self._selected), self.bucket.pause, self._stop
        )

    def _selected(self, files: Sequence[File]) -> list[File]:
        found = streamed(files)
        if files and not found:
            raise Failed(
                f"{self.repository} has no weights as safetensors in the hub's layout, and vLLM reads no others from a "
                "bucket: write weights.kind: hub"
            )
        return found

    def _copy(self, commit: str, file: File) -> Stored | Failed | None:
        if self._stop.is_set():
            return None
        copy = Copy(self, commit, file)
        try:
            return patiently(copy.go_on, self.bucket.pause, self._stop)
        except Failed as error:
            self._stop.set()
            return error


def _is(stored: Stored, file: File) -> bool:
    return (stored.size, stored.digest) == (file.size, file.digest)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fill_bucket")
    parser.add_argument("bucket")
    parser.add_argument("folder", help="of the bucket, for this repository at this revision alone")
    parser.add_argument("repository")
    parser.add_argument("revision")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds before the second try; then twice as long")
    said = parser.parse_args(words)
    end_when_told()
    try:
        Fill(hub_of_the_pod(), Bucket(said.bucket, said.pause), said.repository, said.revision, said.folder).run()
    except (Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
