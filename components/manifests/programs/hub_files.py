"""What Hugging Face's hub holds of a checkpoint, and its answers: each refusal says the file and what to do.

A part of the programs that fetch; it is put before them.
"""

import hashlib
import http.client
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")

TRIES = 6
"""The number of tries for a file, each from where the one before ended."""
TRIES_OF_LIST = 2
"""Before there is a list nothing is lost with the program: its pod says what is wrong, and starts it again."""
PATIENCE = 60.0
"""Seconds of silence after which a connection counts as dead."""
REDIRECTS = (301, 302, 303, 307, 308)
SKIPPED_FOLDERS = ("original/", "metal/", "onnx/", "openvino/", "coreml/")
OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".tflite")
"""The same weights in other formats: vLLM reads them only where there is no safetensors file."""
MISTRAL = re.compile(r"consolidated.*\.safetensors")
"""If there are any, vLLM's load format auto reads these and no other weights (vLLM 0.33, default_loader.py)."""


class Failed(Exception):
    """What a person must know: the file or the repository, and what is wrong with it."""


class Interrupted(Failed):
    """A transfer that ended early; the next try begins where it ended."""


@dataclass(frozen=True)
class File:
    name: str
    size: int
    digest: str
    """SHA-256 of a large file, git's SHA-1 of a small one; the hub's client keeps the file under this name."""

    def hasher(self) -> Any:
        if len(self.digest) == 64:
            return hashlib.sha256()
        hasher = hashlib.sha1(usedforsecurity=False)
        hasher.update(f"blob {self.size}\0".encode())
        return hasher


class _NoRedirects(urllib.request.HTTPErrorProcessor):
    """Leaves redirects to who asked, since a token must not follow them to another host."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


class Hub:
    """The hub's answers, with what each refusal means. A file's other host never sees the token."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirects)

    def files(
        self, repository: str, revision: str, select: Callable[[Sequence[File]], list[File]]
    ) -> tuple[str, list[File]]:
        """The commit that a revision names, and the files of it that are selected."""
        path = f"/api/models/{repository}/revision/{urllib.parse.quote(revision, safe='')}?blobs=true"
        try:
            with self._open(self.address + path, {}, repository) as answer:
                said = json.load(answer)
            commit = re.fullmatch(r"[0-9a-f]{40}", said["sha"])
            found = [_file(repository, each) for each in said["siblings"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Interrupted(f"{repository}: the hub's list of files cannot be read") from None
        if commit is None:
            raise Failed(f"{repository}: the hub names no commit for revision {revision}")
        wanted = select(found)
        if not wanted:
            raise Failed(f"{repository}: revision {revision} has no files")
        return commit[0], wanted

    @contextmanager
    def content(self, repository: str, commit: str, file: File, begin: int) -> Generator[tuple[Any, int]]:
        """The bytes of a file from `begin` on, and where they really begin."""
        address = f"{self.address}/{repository}/resolve/{commit}/{urllib.parse.quote(file.name)}"
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        with self._open(address, headers, f"{repository}: {file.name}") as answer:
            yield answer, begin if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0

    def _open(self, address: str, headers: dict[str, str], what: str) -> Any:
        for _ in range(5):
            own = self._token and address.startswith(self.address + "/")
            token = {"Authorization": f"Bearer {self._token}"} if own else {}
            request = urllib.request.Request(address, headers={**headers, **token})
            answer: Any = self._opener.open(request, timeout=PATIENCE)
            if answer.status in (http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT):
                return answer
            with answer:
                target = answer.headers["Location"]
                if answer.status not in REDIRECTS or not target:
                    raise self._refusal(answer.status, answer.headers.get("X-Error-Code", ""), what)
                address = urllib.parse.urljoin(address, target)
        raise Failed(f"{what}: the hub redirects without end")

    def _refusal(self, status: int, code: str, what: str) -> Failed:
        repository = what.partition(":")[0]
        if code == "GatedRepo":
            return Failed(
                f"{what} is forbidden: accept the licence at https://huggingface.co/{repository} with the account of "
                "the token"
            )
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            return Failed(f"{what} is forbidden ({status}): the token may not read it")
        if status == http.HTTPStatus.NOT_FOUND:
            return Failed(f"{what} does not exist at the hub ({code or status})")
        return Interrupted(f"{what}: the hub answers {status}")


def _file(repository: str, said: dict[str, Any]) -> File:
    name, lfs = str(said["rfilename"]), cast(dict[str, Any], said.get("lfs") or {})
    parts = name.split("/")
    if name.startswith("/") or not all(parts) or {".", ".."} & set(parts) or "\0" in name:
        raise Failed(f"{repository}: the hub names a file {name!r}, which would lie outside of its folder")
    digest = str(lfs.get("sha256") or said.get("blobId") or "")
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", digest):
        raise Failed(f"{repository}: {name} has no digest at the hub, so it cannot be checked")
    return File(name, int(lfs.get("size", said.get("size") or 0)), digest)


def needed(files: Sequence[File]) -> list[File]:
    """The files that vLLM reads with load format auto: one set of weights, and everything that is no weights."""
    kept = [file for file in files if not file.name.startswith(SKIPPED_FOLDERS) and not file.name.startswith(".")]
    safetensors = [file for file in kept if file.name.endswith(".safetensors")]
    if safetensors:
        kept = [file for file in kept if not file.name.endswith(OTHER_WEIGHTS)]
    if any(MISTRAL.fullmatch(file.name) for file in safetensors):
        kept = [file for file in kept if file not in safetensors or "/" in file.name or MISTRAL.fullmatch(file.name)]
    return kept


def patiently(act: Callable[[], T], pause: float, stop: threading.Event, tries: int = TRIES) -> T:
    """Tries again what was interrupted, each time after twice as long. Raises Failed."""
    attempt = 0
    while True:
        try:
            return act()
        except (urllib.error.URLError, Interrupted, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            why = error if isinstance(error, Failed) else Failed(f"the hub cannot be reached: {error}")
            attempt += 1
            if attempt == tries or stop.is_set():
                raise why from None
            seconds = pause * 2 ** (attempt - 1)
            say(f"{why}; trying again in {seconds:.0f} s")
            stop.wait(seconds)


def say(text: str) -> None:
    print(text, flush=True)
