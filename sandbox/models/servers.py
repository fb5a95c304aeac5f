"""The model servers of all simulated pods: one for each pod whose server should listen, each at its own socket."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.models.arguments import serve_arguments
from sandbox.models.behaviour import Behaviour
from sandbox.models.openai import OpenAiServer

# A request that stalls must not keep its server alive.
_SHUTDOWN_SECONDS = 0.1

SHUTDOWN_SPEED = 10.0
"""So many seconds of a pod's shutdown pass in one real second, so that nobody waits long for updates."""


@dataclass(frozen=True)
class ServerSpec:
    """A server that a pod needs. `key` changes with every start of its container; `words` are its arguments; `started`
    is in Unix seconds. `ending`: its process has got SIGTERM."""

    key: str
    socket: str
    words: tuple[str, ...]
    version: str
    behaviour: str
    started: float
    ending: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ServerSpec":
        return cls(**dict(value, words=tuple(value["words"])))


@dataclass(frozen=True)
class _Running:
    spec: ServerSpec
    server: OpenAiServer
    runner: web.AppRunner
    shutdown_timeout: int


class Servers:
    """Runs the servers that were last asked for, and no others."""

    def __init__(self) -> None:
        self._wanted: dict[str, ServerSpec] = {}
        self._running: dict[str, _Running] = {}
        self._lock = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None
        self._shutdowns: dict[str, asyncio.Task[None]] = {}

    async def set(self, wanted: Sequence[ServerSpec]) -> None:
        """Sets the servers. When it returns, those whose start is due listen, and those that are no longer wanted do
        not."""
        self._wanted = {spec.key: spec for spec in wanted}
        await self._reconcile()

    async def _reconcile(self) -> None:
        async with self._lock:
            for key in [key for key in self._running if key not in self._wanted]:
                await self._end(key)
            later: list[float] = []
            for key, spec in self._wanted.items():
                behaviour = Behaviour.parse(spec.behaviour)
                due = spec.started + behaviour.slow_start
                if key in self._running:
                    self._running[key].server.behaviour = behaviour
                    if spec.ending and key not in self._shutdowns:
                        self._shutdowns[key] = asyncio.create_task(self._shut_down(key))
                elif spec.ending:
                    continue
                elif due <= time.time():
                    await self._start(spec, behaviour)
                else:
                    later.append(due)
        if self._timer is not None and self._timer is not asyncio.current_task():
            self._timer.cancel()
        self._timer = asyncio.create_task(self._again_at(min(later))) if later else None

    async def _again_at(self, due: float) -> None:
        await asyncio.sleep(due - time.time())
        await self._reconcile()

    async def _start(self, spec: ServerSpec, behaviour: Behaviour) -> None:
        arguments = serve_arguments(spec.words)
        server = OpenAiServer(arguments, spec.version, behaviour)
        runner = web.AppRunner(
            server.application(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await runner.setup()
        Path(spec.socket).unlink(missing_ok=True)
        await web.UnixSite(runner, spec.socket).start()
        self._running[spec.key] = _Running(spec, server, runner, arguments.shutdown_timeout)

    async def _shut_down(self, key: str) -> None:
        """Finishes running requests for as long as the shutdown timeout allows, then ends, as vLLM does after
        SIGTERM."""
        running = self._running[key]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.server.end(), running.shutdown_timeout / SHUTDOWN_SPEED)
        async with self._lock:
            if key in self._running:
                await self._end(key)

    async def _end(self, key: str) -> None:
        running = self._running.pop(key)
        self._shutdowns.pop(key, None)
        await running.runner.cleanup()
        Path(running.spec.socket).unlink(missing_ok=True)
