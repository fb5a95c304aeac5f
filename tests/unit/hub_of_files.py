"""A hub on this machine that serves real files as Hugging Face's does: a list with digests, redirects to another host,
ranges; and what can go wrong there."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"
REPOSITORY = "acme/tiny"
TOKEN = "hf_known_to_this_hub"
PIECE = 4096


@dataclass
class HubOfFiles:
    files: dict[str, bytes]
    gated: bool = False
    """Whether files are forbidden until somebody accepts a licence."""
    forbidden: set[str] = field(default_factory=set[str])
    truncated: set[str] = field(default_factory=set[str])
    """Files that end early, however often they are asked for."""
    corrupt: set[str] = field(default_factory=set[str])
    commit: str = COMMIT
    broken: int = 0
    """How many requests are answered 503 before the hub works."""
    ignores_ranges: bool = False
    requests: list[str] = field(default_factory=list[str])
    sent: int = 0
    """Bytes of files."""
    on_bytes: Callable[[int], None] = lambda _: None
    address: str = ""
    tokens_at_the_files: list[str | None] = field(default_factory=list[str | None])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listing(self) -> bytes:
        rows: list[dict[str, object]] = []
        for name, data in self.files.items():
            row: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": git_digest(data)}
            if name.endswith((".safetensors", ".bin")):
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            rows.append(row)
        return json.dumps({"id": REPOSITORY, "sha": self.commit, "siblings": rows}).encode()


def git_digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@contextmanager
def serve(hub: HubOfFiles) -> Generator[HubOfFiles]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: HubOfFiles) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):
                self._answer(urlsplit(self.path).path)

        def _answer(self, path: str) -> None:
            with hub.lock:
                hub.requests.append(path)
                broken, hub.broken = hub.broken > 0, max(0, hub.broken - 1)
            if broken:
                self._say(503)
            elif path in {f"/api/models/{REPOSITORY}/revision/{name}" for name in ("main", hub.commit)}:
                self._say(200, body=hub.listing())
            elif path.startswith(f"/{REPOSITORY}/resolve/{hub.commit}/"):
                self._resolve(unquote(path.split("/", 5)[5]))
            elif path.startswith("/files/"):
                hub.tokens_at_the_files.append(self.headers["Authorization"])
                self._send(unquote(path.removeprefix("/files/")))
            else:
                self._say(404, {"X-Error-Code": "RepoNotFound"})

        def _resolve(self, name: str) -> None:
            if hub.gated:
                self._say(403, {"X-Error-Code": "GatedRepo"})
            elif name in hub.forbidden:
                self._say(403)
            elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._say(401)
            else:
                port = hub.address.rpartition(":")[2]
                self._say(302, {"Location": f"http://localhost:{port}/files/{name}"})

        def _send(self, name: str) -> None:
            data = hub.files[name]
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
            begin = int(asked[1]) if asked and not hub.ignores_ranges else 0
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            if name in hub.corrupt:
                data = data[:-1] + bytes([data[-1] ^ 1])
            end = len(data) - 10 if name in hub.truncated else len(data)
            for at in range(begin, end, PIECE):
                piece = data[at : min(at + PIECE, end)]
                self.wfile.write(piece)
                with hub.lock:
                    hub.sent += len(piece)
                hub.on_bytes(hub.sent)
            self.close_connection = True

        def _say(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler
