"""One HTTP request over a Unix socket, for the supervisor's questions to the model servers."""

import asyncio
import http.client
import json
import socket
from pathlib import Path
from typing import Any


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


async def request(path: Path, method: str, url: str, body: Any = None, timeout: float = 5.0) -> int:
    """The status of the answer; 0 if nobody answers."""
    return await asyncio.to_thread(_request, path, method, url, body, timeout)


def _request(path: Path, method: str, url: str, body: Any, timeout: float) -> int:
    connection = _Connection(path, timeout)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, url, payload, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
