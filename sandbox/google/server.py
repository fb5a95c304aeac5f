"""Serves the stand-in of Google, Hugging Face and the registry on this machine, and remembers what was asked."""

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.cloud.situation import Situation
from sandbox.cloud.store import State
from sandbox.cloud.tables import Reservation, Tables
from sandbox.google.compute import compute
from sandbox.google.container import container
from sandbox.google.hub import hub
from sandbox.google.limits import quotas
from sandbox.google.login import ACCESS_TOKEN, environment, login, write_key
from sandbox.google.projects import projects, services
from sandbox.google.registry import registry
from sandbox.google.reply import Asked, Reply, Route, denied, not_found, plain, refused, switched_off
from sandbox.google.secrets import secrets
from sandbox.scratch import scratch_folder

_OPEN = ("/hub/", "/registry/", "/token")
"""Paths at which Google's own token is not wanted."""


@dataclass(frozen=True)
class Exchange:
    """One request and the answer to it."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    authorization: str | None
    status: int
    answer: bytes


@dataclass
class StandIn:
    """A served stand-in. `environment` leads clients of Google and Hugging Face to it by their own variables; `mirror`
    is the registry's address."""

    address: str
    environment: dict[str, str]
    exchanges: list[Exchange]

    @property
    def mirror(self) -> str:
        return f"{self.address}/registry"


@dataclass(frozen=True)
class World:
    """What the stand-in answers from. `state` is called again for each request."""

    project: str
    state: Callable[[], State]
    tables: Tables
    situation: Situation
    reservations: tuple[Reservation, ...]


@contextmanager
def serve_google(world: World) -> Generator[StandIn]:
    """Serves the stand-in as long as the context lasts. Its only file is the key for the login, in a temporary
    folder."""
    exchanges: list[Exchange] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(world, exchanges))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="google")
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        with scratch_folder("google") as folder:
            key = write_key(folder, address, world.project)
            yield StandIn(address, environment(address, key), exchanges)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_PLACE = re.compile(r"\{(\w+)(:path)?\}")


def _pattern(route: Route) -> re.Pattern[str]:
    parts, end = "", 0
    for match in _PLACE.finditer(route.path):
        parts += re.escape(route.path[end : match.start()])
        parts += f"(?P<{match[1]}>{'.+' if match[2] else '[^/:]+' if route.path.startswith('/cloudres') else '[^/]+'})"
        end = match.end()
    return re.compile(parts + re.escape(route.path[end:]))


_APIS = (services, projects, compute, container, secrets, quotas, hub, registry, login)
_ROUTES = tuple((_pattern(route), route) for api in _APIS for route in api.all)


def _answer(world: World, method: str, asked: Callable[[dict[str, str]], Asked], path: str) -> Reply:
    for pattern, route in _ROUTES:
        match = pattern.fullmatch(path) if route.method == method else None
        if match is None:
            continue
        request = asked({name: plain(value) for name, value in match.groupdict().items()})
        if route.service in world.situation.disabled:
            return switched_off(route.service or "", world.project)
        if route.permission in world.situation.denied:
            return denied(route.permission or "", path)
        return route.handler(request)
    return not_found(path)


def _handler(world: World, exchanges: list[Exchange]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = self._reply(parts.path, query, sent)
            authorization = self.headers.get("Authorization")
            exchanges.append(Exchange(self.command, parts.path, query, sent, authorization, reply.status, reply.body))
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def _reply(self, path: str, query: dict[str, list[str]], sent: bytes) -> Reply:
            for trouble in world.situation.troubles:
                if trouble.path in path:
                    threading.Event().wait(trouble.seconds)
                    return Reply(trouble.status, trouble.body.encode(), trouble.headers)
            if not path.startswith(_OPEN) and self.headers.get("Authorization") != f"Bearer {ACCESS_TOKEN}":
                return refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", "authError")

            def asked(names: dict[str, str]) -> Asked:
                json_sent = self.headers.get("Content-Type", "").startswith("application/json")
                body: Any = json.loads(sent) if sent and json_sent else {}
                return Asked(
                    names=names,
                    query=query,
                    body=body,
                    headers=dict(self.headers.items()),
                    address=f"http://{self.headers['Host']}",
                    project=world.project,
                    state=world.state(),
                    tables=world.tables,
                    situation=world.situation,
                    reservations=world.reservations,
                )

            return _answer(world, self.command, asked, path)

        do_GET = do_POST = do_HEAD = _serve  # noqa: N815, the base class names them

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
