"""A small client of the control plane's own API server; it can do what the supervisor needs and no more."""

import asyncio
import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from sandbox.cluster import layout

TIMEOUT_SECONDS = 5
MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused a request; `status` is the HTTP status of its answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class Api:
    """One connection that has the administrator's rights and stays open from one request to the next."""

    def __init__(self, directory: Path, port: int) -> None:
        self._port = port
        self._token = (directory / layout.TOKEN_FILE).read_text().strip()
        self._context = ssl.create_default_context(cafile=directory / layout.CA_FILE)
        self._connection: http.client.HTTPSConnection | None = None

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Sends a request and returns the decoded answer. Raises ApiError if it is refused, OSError if nobody
        answers."""
        payload = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        kept = self._connection is not None
        try:
            status, content = self._exchange(method, path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # The server closes a connection that was idle for a while, and we notice it only at the next request.
            if kept and not isinstance(error, TimeoutError):
                return self.call(method, path, body, content_type)
            raise ConnectionError(f"{method} {path}: {error}") from error
        if status >= 400:
            raise ApiError(status, _message(content))
        return _decode(content)

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, timeout=TIMEOUT_SECONDS, context=self._context
            )
        self._connection.request(method, path, payload, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def find(self, path: str) -> Any:
        """The object at that path; None if there is no such object."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class AsyncApi:
    """The same client for coroutines: it sends one request at a time, in a thread."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = asyncio.Lock()

    async def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        async with self._lock:
            return await asyncio.to_thread(self._api.call, method, path, body, content_type)

    async def find(self, path: str) -> Any:
        async with self._lock:
            return await asyncio.to_thread(self._api.find, path)


def _message(content: bytes) -> str:
    """The message of a Status object; the whole answer if it is something else."""
    decoded = _decode(content)
    try:
        return decoded["message"]
    except (TypeError, KeyError):
        return str(decoded)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
