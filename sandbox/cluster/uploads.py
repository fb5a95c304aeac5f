"""Uploads to Cloud Storage that are under way: each can be broken off at any byte and go on later.

The rules are those of cloud.google.com/storage/docs/performing-resumable-uploads (2026-11): chunks are multiples of
256 KiB but for the last, what was kept already may be sent again, and checksums are compared at the end.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.cluster.storage_refusals import invalid
from sandbox.objects import Object, Objects, sums

CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


@dataclass
class Upload:
    """One upload of a member's. `described` is what it said of the object; `size` counts the bytes that are kept."""

    id: str
    member: str
    bucket: str
    name: str
    described: Mapping[str, Any]
    content_type: str
    draft: Path
    size: int = 0

    async def take(self, request: web.Request) -> int | None:
        """Keeps the bytes of a request; returns the object's whole size, None if the caller does not know it yet.
        Raises the refusal."""
        said = request.headers.get("Content-Range")
        match = _RANGE.fullmatch(said) if said else None
        if said and match is None:
            raise invalid(f"Failed to parse Content-Range header: {said}")
        first = int(match["first"]) if match and match["first"] else self.size if match else 0
        total = int(match["total"]) if match and match["total"] != "*" else None
        if first > self.size:
            raise invalid(f"Invalid request. The range begins at {first}, and {self.size} bytes are kept.")
        before = self.size
        await self._write(request, first)
        if match is None:
            return self.size
        if total is None and match["first"] and (self.size - before) % CHUNK_BYTES:
            raise invalid(f"Invalid request. There should have been a multiple of {CHUNK_BYTES} bytes.")
        return total

    async def _write(self, request: web.Request, first: int) -> None:
        """Appends the body, which begins at that byte of the object; where the caller breaks off, whole chunks stay."""
        skip = self.size - first
        complete = False
        with self.draft.open("ab") as file:
            try:
                async for part in request.content.iter_any():
                    fresh, skip = part[skip:], max(skip - len(part), 0)
                    file.write(fresh)
                    self.size += len(fresh)
                complete = True
            finally:
                if not complete:
                    self.size -= self.size % CHUNK_BYTES
                    file.truncate(self.size)


class Uploads:
    """The uploads of one process. Google keeps them for a week; here they end with the control plane."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._all: dict[str, Upload] = {}

    def begin(self, member: str, bucket: str, name: str, described: Mapping[str, Any], content_type: str) -> Upload:
        id_ = secrets.token_urlsafe(24)
        draft = self._objects.draft(bucket, id_)
        draft.touch()
        made = Upload(id_, member, bucket, name, described, described.get("contentType", content_type), draft)
        self._all[id_] = made
        return made

    def get(self, id_: str) -> Upload | None:
        return self._all.get(id_)

    def finish(self, upload: Upload) -> Object:
        """Makes the object. Raises the refusal if its bytes are not those that the caller described."""
        found = sums(upload.draft)
        for said, calculated, kind in (
            (upload.described.get("md5Hash"), found.md5, "MD5 hash"),
            (upload.described.get("crc32c"), found.crc32c, "CRC32C"),
        ):
            if said is not None and said != calculated:
                self._drop(upload)
                raise invalid(f'Provided {kind} "{said}" doesn\'t match calculated {kind} "{calculated}".')
        made = self._objects.put(
            upload.bucket, upload.name, upload.draft, upload.content_type, upload.described.get("metadata", {})
        )
        self._all.pop(upload.id, None)
        return made

    def _drop(self, upload: Upload) -> None:
        self._all.pop(upload.id, None)
        upload.draft.unlink(missing_ok=True)
