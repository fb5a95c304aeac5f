"""One HTTP request and its answer, limited in time and size; redirects are not followed."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from json import JSONDecodeError, loads
from typing import Any, cast

import requests

from verification.doctor.hidden import Hidden
from verification.results import NotObservable

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
_MOST_BYTES = 8 * 1024 * 1024
_CHUNK = 64 * 1024

# The requests that may be sent: none of them changes anything, and a POST only asks for rights and policies.
READING = frozenset({"GET", "HEAD"})
ASKING = (":testIamPermissions", ":getIamPolicy")


class Unreachable(NotObservable):
    """Nobody answered: no route, no such name, no TLS, or too late."""


@dataclass(frozen=True)
class Answer:
    """One answer. Its `headers` are found in upper and lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The answer as a JSON object. Raises NotObservable if it is none, such as a proxy's page."""
        try:
            content: Any = loads(self.body)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise NotObservable(f"the answer {self.status} is no JSON object: is a proxy or a login page between?")
        return cast(dict[str, Any], content)


class Web:
    """Sends the requests of one run, which together take at most `seconds`."""

    def __init__(self, seconds: float, hidden: Hidden) -> None:
        self._deadline = time.monotonic() + seconds
        self.hidden = hidden

    def ask(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str | list[str]] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Sends a request. A redirect is an answer too, since what we send is for this host only. Raises
        Unreachable."""
        if method not in READING and not (method == "POST" and address.endswith(ASKING)):
            raise ValueError(f"{method} {address} could change something")
        host = address.split("/")[2]
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{host} was not asked: the time of the whole check was over")
        try:
            with requests.Session() as session:
                # Otherwise requests would find a password for the host in ~/.netrc and send that.
                session.auth = _as_it_is
                answer = session.request(
                    method,
                    address,
                    params=parameters,
                    headers={"Accept": "application/json", **(headers or {})},
                    json=body,
                    timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
                    allow_redirects=False,
                    stream=True,
                )
                return Answer(answer.status_code, answer.headers, self._body(answer, host))
        except requests.Timeout:
            raise Unreachable(f"{host} does not answer in time") from None
        except (requests.RequestException, UnicodeError) as error:
            # Its text contains the address, and so whatever a server made us put there.
            raise Unreachable(f"{host} cannot be reached: {_reason(error)}") from None

    def _body(self, answer: requests.Response, host: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in cast("list[bytes]", answer.iter_content(_CHUNK)):
            parts.append(part)
            size += len(part)
            if size > _MOST_BYTES:
                raise Unreachable(f"{host} answers with more than {_MOST_BYTES // 1024**2} MiB")
            if time.monotonic() > self._deadline:
                raise Unreachable(f"{host} does not answer in time")
        return b"".join(parts)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(error: Exception) -> str:
    """The name of the innermost cause: `NameResolutionError`, `SSLCertVerificationError`, `ConnectionRefusedError`."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        inner = inner or next((each for each in seen.args if isinstance(each, BaseException)), None)
        if not isinstance(inner, BaseException):
            return type(seen).__name__
        seen = inner
