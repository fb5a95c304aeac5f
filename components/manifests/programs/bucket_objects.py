"""Cloud Storage's JSON API as far as programs of pods need it, with the identity of the pod and no key file.

A part of these programs; it is put before them. Uploads are resumable ones
(cloud.google.com/storage/docs/performing-resumable-uploads, read 2026-11-28): what was sent is kept here until Google
says that it has it, and an object is there only once all of it is.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components.manifests.programs.hub_files import (
    OTHER_WEIGHTS,
    PATIENCE,
    SKIPPED_FOLDERS,
    TRIES,
    Failed,
    File,
    Interrupted,
    T,
    patiently,
)

STEP = 256 * 1024
"""Bytes; all parts of an upload but the last are multiples of it."""
PART = 32 * STEP
KEPT_ON = 308
"""The status by which an upload that is not whole is answered."""
TOKEN_MARGIN = 300.0
"""Seconds before its end from which a token counts as old."""


@dataclass(frozen=True)
class Stored:
    """One object: its bytes, their MD5 in Base64 as Google counts it, and the digest by which they were checked."""

    size: int
    md5: str
    digest: str


class Bucket:
    """A bucket, its refusals told with what to do."""

    def __init__(self, name: str, pause: float) -> None:
        self.name = name
        self.pause = pause
        self._storage = os.environ.get("STORAGE_EMULATOR_HOST", "https://storage.googleapis.com").rstrip("/")
        self._metadata = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes | None:
        """The bytes of a small object; None: there is none of that name."""
        return self._patiently(lambda: self._read(name))

    def _read(self, name: str) -> bytes | None:
        status, _, body = self.ask("GET", f"{self._of(name)}?alt=media")
        if status == http.HTTPStatus.NOT_FOUND and b"No such object" in body:
            return None
        self.check(status, body, "read", name)
        return body

    def stored(self, folder: str) -> dict[str, Stored]:
        """All objects below a folder by their names in it."""
        found: dict[str, Stored] = {}
        page = ""
        while True:
            query = urllib.parse.urlencode({"prefix": folder, **({"pageToken": page} if page else {})})
            said = self._patiently(lambda query=query: self._list(f"{self._of()}?{query}"))
            for each in said.get("items", []):
                digest = each.get("metadata", {}).get("digest", "")
                found[each["name"].removeprefix(folder)] = Stored(int(each["size"]), each.get("md5Hash", ""), digest)
            page = said.get("nextPageToken", "")
            if not page:
                return found

    def _list(self, address: str) -> Any:
        status, _, body = self.ask("GET", address)
        self.check(status, body, "list", "its objects")
        return json.loads(body)

    def write(self, name: str, content: bytes) -> None:
        """Writes a small object, or takes the place of one."""
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self._patiently(lambda: self._write(query, name, content))

    def write_first(self, name: str, content: bytes) -> bytes:
        """The bytes of the small object of that name: these, unless somebody has written others before."""
        query = urllib.parse.urlencode({"uploadType": "media", "name": name, "ifGenerationMatch": "0"})
        self._patiently(lambda: self._write(query, name, content))
        return self.read(name) or content

    def _write(self, query: str, name: str, content: bytes) -> None:
        status, _, body = self.ask("POST", f"{self._uploads()}?{query}", content)
        if status != http.HTTPStatus.PRECONDITION_FAILED:
            self.check(status, body, "write", name)

    def delete(self, name: str) -> None:
        self._patiently(lambda: self._delete(name))

    def _delete(self, name: str) -> None:
        status, _, body = self.ask("DELETE", self._of(name))
        if status != http.HTTPStatus.NOT_FOUND:
            self.check(status, body, "delete", name)

    def begin(self, name: str, digest: str) -> str:
        """Begins an upload, and gives its address."""
        query = urllib.parse.urlencode({"uploadType": "resumable", "name": name})
        described = json.dumps({"name": name, "metadata": {"digest": digest}}).encode()
        return self._patiently(lambda: self._begin(f"{self._uploads()}?{query}", described, name))

    def _begin(self, address: str, described: bytes, name: str) -> str:
        status, headers, body = self.ask("POST", address, described, {"Content-Type": "application/json"})
        self.check(status, body, "write", name)
        return str(headers["Location"])

    def _patiently(self, act: Callable[[], T]) -> T:
        return patiently(act, self.pause, threading.Event())

    def _of(self, name: str | None = None) -> str:
        objects = f"{self._storage}/storage/v1/b/{self.name}/o"
        return objects if name is None else f"{objects}/{urllib.parse.quote(name, safe='')}"

    def _uploads(self) -> str:
        return f"{self._storage}/upload/storage/v1/b/{self.name}/o"

    def ask(
        self, method: str, address: str, content: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, bytes]:
        """Status, headers and body of Google's answer, whatever it is."""
        more = {"Authorization": f"Bearer {self._access()}", **(headers or {})}
        request = urllib.request.Request(address, data=content, headers=more, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read()
        except (OSError, http.client.HTTPException) as error:
            raise Interrupted(f"bucket {self.name} cannot be reached: {error}") from None

    def check(self, status: int, body: bytes, verb: str, what: str) -> None:
        """Raises what a refusal means."""
        if status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED, http.HTTPStatus.NO_CONTENT):
            return
        try:
            message = str(json.loads(body)["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = ""
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise Failed(f"bucket {self.name}: this pod may not {verb} {what} ({status}): {message}")
        if status == http.HTTPStatus.NOT_FOUND:
            raise Failed(f"bucket {self.name}: {what} is not there ({status}): {message}")
        raise Interrupted(f"bucket {self.name}: Google answers {status} to {verb} {what}: {message}")

    def _access(self) -> str:
        """The pod's token, from the metadata server of its node."""
        with self._lock:
            if time.monotonic() > self._until:
                said = self._patiently(self._ask_for_token)
                self._token = str(said["access_token"])
                self._until = time.monotonic() + float(said["expires_in"]) - TOKEN_MARGIN
            return self._token

    def _ask_for_token(self) -> Any:
        address = f"http://{self._metadata}/computeMetadata/v1/instance/service-accounts/default/token"
        request = urllib.request.Request(address, headers={"Metadata-Flavor": "Google"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise Interrupted(f"the metadata server gives no token: {refusal.read().decode()[:300]}") from None


class Upload:
    """One object under way."""

    def __init__(self, bucket: Bucket, name: str, file: File) -> None:
        self._bucket, self._name, self._size = bucket, name, file.size
        self._address = bucket.begin(name, file.digest)
        self._held = bytearray()
        self._kept = 0
        """Bytes that Google has."""
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._in_vain = 0

    @property
    def taken(self) -> int:
        """Bytes of the object that came so far."""
        return self._kept + len(self._held)

    def take(self, chunk: bytes) -> None:
        """Sends what there is in whole parts. The end of the object stays here until `finish`."""
        self._md5.update(chunk)
        self._held += chunk
        while len(self._held) > PART:
            self._send(PART)

    def finish(self) -> Stored | None:
        """Makes the object; None: what Google has is not what was sent, and it is deleted again."""
        made: dict[str, Any] | None = None
        while made is None:
            made = self._send(len(self._held))
        md5 = base64.b64encode(self._md5.digest()).decode()
        if made.get("md5Hash") == md5 and int(made["size"]) == self._size:
            return Stored(self._size, md5, made.get("metadata", {}).get("digest", ""))
        self._bucket.delete(self._name)
        return None

    def _send(self, count: int) -> dict[str, Any] | None:
        """Sends that many bytes; returns what Google says of the object once it is whole."""
        before = self._kept
        try:
            made = self._put(bytes(self._held[:count]))
        except Interrupted:
            # Google says how much of it has come.
            made = patiently(lambda: self._put(b""), self._bucket.pause, threading.Event())
        self._in_vain = self._in_vain + 1 if made is None and self._kept == before else 0
        if self._in_vain == TRIES:
            raise Failed(f"bucket {self._bucket.name}: {self._name}: Google takes none of its bytes")
        return made

    def _put(self, part: bytes) -> dict[str, Any] | None:
        first, last = self._kept, self._kept + len(part) - 1
        span = f"{first}-{last}" if part else "*"
        headers = {"Content-Range": f"bytes {span}/{self._size}", "Content-Type": "application/octet-stream"}
        status, said, body = self._bucket.ask("PUT", self._address, part, headers)
        if status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
            return dict(json.loads(body))
        if status != KEPT_ON:
            self._bucket.check(status, body, "write", self._name)
        match = re.fullmatch(r"bytes=0-(\d+)", said.get("Range") or "")
        kept = int(match[1]) + 1 if match else 0
        if not self._kept <= kept <= self.taken:
            raise Failed(f"bucket {self._bucket.name}: {self._name}: Google has {kept} of {self.taken} bytes")
        del self._held[: kept - self._kept]
        self._kept = kept
        return None


def mark_of(folder: str) -> str:
    """The name of the object that says that a folder is complete, and of what it consists. It is not in the folder,
    since vLLM reads all that is."""
    return f"complete/{folder}.json"


def is_complete(bucket: Bucket, folder: str) -> bool:
    """Whether everything that the mark names is there as it was checked."""
    mark = bucket.read(mark_of(folder))
    if mark is None:
        return False
    try:
        rows: dict[str, list[Any]] = json.loads(mark)["files"]
        named = {name: Stored(*row) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return bucket.stored(f"{folder}/") == named


def streamed(files: Sequence[File]) -> list[File]:
    """The files that vLLM reads from a bucket: safetensors in the hub's own layout, and all that is no weights. In
    Mistral's own layout (consolidated.safetensors) tensors have other names than its loader for buckets expects."""
    kept = [
        file
        for file in files
        if not file.name.startswith((*SKIPPED_FOLDERS, ".", "consolidated")) and not file.name.endswith(OTHER_WEIGHTS)
    ]
    return kept if any(file.name.endswith(".safetensors") for file in kept) else []
