"""The objects of Cloud Storage's buckets: files beside the stand-in cloud's state, a folder for each bucket.

An object has two files, named by the hash of its name: its bytes, and what Google says of it. A new object is there in
one step, and an upload that is not finished is no object.
"""

import base64
import datetime
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import google_crc32c

FOLDER = "objects"
"""The folder's name beside the cloud's state."""

_PART = 1024 * 1024
# The library has no types.
_extended = cast(Callable[[int, bytes], int], google_crc32c.extend)  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True)
class Object:
    """One object. `size` is in bytes; `md5` and `crc32c` are in Base64, as Google writes them."""

    bucket: str
    name: str
    size: int
    md5: str
    crc32c: str
    generation: int
    """Google's number of this version, which grows with time: microseconds since 1970."""
    content_type: str
    created: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Sums:
    """The checksums of some bytes, in Base64."""

    size: int
    md5: str
    crc32c: str


def sums(file: Path) -> Sums:
    md5, crc32c, size = hashlib.md5(usedforsecurity=False), 0, 0
    with file.open("rb") as stream:
        while part := stream.read(_PART):
            md5.update(part)
            crc32c = _extended(crc32c, part)
            size += len(part)
    return Sums(size, base64.b64encode(md5.digest()).decode(), base64.b64encode(crc32c.to_bytes(4, "big")).decode())


class Objects:
    """All objects of a cloud. Any number of processes can use it at the same time."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the cloud's state is."""
        self._folder = folder / FOLDER

    def filled(self) -> frozenset[str]:
        """The names of the buckets that hold an object."""
        return frozenset(file.parent.name for file in self._folder.glob("*/*.json"))

    def draft(self, bucket: str, upload: str) -> Path:
        """The file for the bytes of an upload under way."""
        (self._folder / bucket).mkdir(parents=True, exist_ok=True)
        return self._folder / bucket / f"{upload}.part"

    def put(self, bucket: str, name: str, draft: Path, content_type: str, metadata: Mapping[str, str]) -> Object:
        """Makes an object of the bytes in a draft, in place of what bore the name."""
        found = sums(draft)
        made = Object(
            bucket=bucket,
            name=name,
            **asdict(found),
            generation=time.time_ns() // 1000,
            content_type=content_type,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            metadata=dict(metadata),
        )
        before = self.get(bucket, name)
        draft.replace(self._bytes(made))
        description = self._described(bucket, name)
        scratch = description.with_suffix(f".{made.generation}")
        scratch.write_text(json.dumps(asdict(made)), encoding="utf-8")
        scratch.replace(description)
        if before is not None:
            self._bytes(before).unlink(missing_ok=True)
        return made

    def get(self, bucket: str, name: str) -> Object | None:
        try:
            return Object(**json.loads(self._described(bucket, name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def content(self, found: Object) -> Path:
        """The file with the object's bytes."""
        return self._bytes(found)

    def named(self, bucket: str, prefix: str = "") -> list[Object]:
        """The objects whose names begin so, in the order of their names."""
        return sorted((each for each in self._all(bucket) if each.name.startswith(prefix)), key=lambda each: each.name)

    def delete(self, found: Object) -> None:
        self._described(found.bucket, found.name).unlink(missing_ok=True)
        self._bytes(found).unlink(missing_ok=True)

    def drop(self, bucket: str) -> None:
        """Removes all objects of a bucket, and the uploads under way."""
        shutil.rmtree(self._folder / bucket, ignore_errors=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _all(self, bucket: str) -> Iterator[Object]:
        for file in (self._folder / bucket).glob("*.json"):
            yield Object(**json.loads(file.read_text(encoding="utf-8")))

    def _described(self, bucket: str, name: str) -> Path:
        return self._folder / bucket / f"{_hash(name)}.json"

    def _bytes(self, found: Object) -> Path:
        return self._folder / found.bucket / f"{_hash(found.name)}-{found.generation}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
