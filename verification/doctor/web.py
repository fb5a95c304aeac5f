"""One HTTP request and its answer: bounded in time and size, and led nowhere else by a redirect."""

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

# What may be asked: none of them changes anything, and a POST only asks of rights and policies.
READING = frozenset({"GET", "HEAD"})
ASKING = (":testIamPermissions", ":getIamPolicy")


class Unreachable(NotObservable):
    """Nobody answered: no route, no name, no TLS, or too late."""


@dataclass(frozen=True)
class Answer:
    """`headers` are found in any case of letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The object that it is. Raises NotObservable where it is none, such as a page of a proxy's."""
        try:
            content: Any = loads(self.body)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise NotObservable(f"the answer {self.status} is no JSON object: is a proxy or a login page between?")
        return cast(dict[str, Any], content)


class Web:
    """Requests of one run, which together take no more than `seconds`."""

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
        """Raises Unreachable. A redirect is an answer: what was sent here is for nobody else."""
        if method not in READING and not (method == "POST" and address.endswith(ASKING)):
            raise ValueError(f"{method} {address} could change something")
        host = address.split("/")[2]
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{host} was not asked: the time of the whole check was over")
        try:
            with requests.Session() as session:
                # Else requests would take a password for the host from ~/.netrc and send that instead.
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
            # Its text has the address, and so whatever a server had us put there.
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
    """The innermost cause, by its name: `NameResolutionError`, `SSLCertVerificationError`, `ConnectionRefusedError`."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        inner = inner or next((each for each in seen.args if isinstance(each, BaseException)), None)
        if not isinstance(inner, BaseException):
            return type(seen).__name__
        seen = inner
