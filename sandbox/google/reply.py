"""An answer of the stand-in, and the forms in which Google refuses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from sandbox.cloud.situation import Situation
from sandbox.cloud.store import State
from sandbox.cloud.tables import Reservation, Tables

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Asked:
    """One request, with all that an answer depends on."""

    names: Mapping[str, str]
    """The variable parts of the path, by the route's names for them."""
    query: Mapping[str, list[str]]
    body: Json
    headers: Mapping[str, str]
    address: str
    """The address of the stand-in itself."""
    project: str
    state: State
    tables: Tables
    situation: Situation
    reservations: tuple[Reservation, ...]

    def lacks(self, id_: str) -> bool:
        """Whether the scenario says that this does not exist."""
        return any(id_.endswith(end) for end in self.situation.missing)


Handler = Callable[[Asked], Reply]


@dataclass(frozen=True)
class Route:
    """One route. `service` must be enabled and the caller must have `permission`, where they are not empty."""

    method: str
    path: str
    handler: Handler
    service: str | None
    permission: str | None


class Routes:
    """The routes of one API, collected by a decorator of their functions."""

    def __init__(self, prefix: str, service: str | None = None) -> None:
        self._prefix = prefix
        self._service = service
        self.all: list[Route] = []

    def __call__(self, method: str, path: str, permission: str | None = None) -> Callable[[Handler], Handler]:
        def collect(handler: Handler) -> Handler:
            self.all.append(Route(method, f"{self._prefix}{path}", handler, self._service, permission))
            return handler

        return collect


def ok(content: Json, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(200, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})


def refused(code: int, status: str, message: str, reason: str = "", details: list[Json] | None = None) -> Reply:
    """Google's form of an error: `errors` as Compute Engine writes it, `status` and `details` as all APIs do."""
    error: Json = {"code": code, "message": message, "status": status}
    if reason:
        error["errors"] = [{"message": message, "domain": "global", "reason": reason}]
    if details:
        error["details"] = details
    return Reply(code, json.dumps({"error": error}).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def not_found(id_: str) -> Reply:
    return refused(404, "NOT_FOUND", f"The resource '{id_}' was not found", "notFound")


def denied(permission: str, resource: str) -> Reply:
    return refused(403, "PERMISSION_DENIED", f"Required '{permission}' permission for '{resource}'", "forbidden")


def switched_off(service: str, project: str) -> Reply:
    message = (
        f"{service} has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{service}/overview?project={project} then retry."
    )
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": f"projects/{project}"},
    }
    return refused(403, "PERMISSION_DENIED", message, "accessNotConfigured", [info])


def plain(text: str) -> str:
    """A part of a path without its escapes."""
    return unquote(text)
