"""The API server's way into the cluster: an HTTP CONNECT proxy to the local processes that serve its Services and
pods."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sandbox.cluster.api import ApiError, AsyncApi

logger = logging.getLogger(__name__)

# Something of the cluster is served on this machine, at a port or at a Unix socket.
Address = tuple[str, int] | Path
# Gives the local address for (host, port) in the cluster; None if it is not served on this machine.
Resolver = Callable[[str, int], Awaitable[Address | None]]

# A process that has just been started may not listen yet. The API server waits 10 s for a webhook.
DIAL_SECONDS = 8.0
RETRY_SECONDS = 0.1


class EgressProxy:
    """Connects each request to what the first resolver that knows its destination names."""

    def __init__(self, resolvers: Sequence[Resolver]) -> None:
        self._resolvers = resolvers

    async def serve(self, socket: Path) -> asyncio.Server:
        socket.unlink(missing_ok=True)
        return await asyncio.start_unix_server(self._handle, socket)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._connect(reader, writer)
        except (ApiError, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.warning("egress: connection ended: %s", error)
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, destination, *_ = request.split()
        host, _, port = destination.rpartition(":")
        address = await self._resolved(host.strip("[]"), int(port)) if method == "CONNECT" else None
        server = None if address is None else await dial(address)
        if server is None:
            logger.warning("egress: %s %s is served by nothing here", method, destination)
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await tunnel(reader, writer, *server)

    async def _resolved(self, host: str, port: int) -> Address | None:
        """The local address of a destination. A failed look-up is tried again: on a busy machine the API server may
        break off a connection, and a webhook's call must not fail for that."""
        deadline = time.monotonic() + DIAL_SECONDS
        while True:
            try:
                return await self._resolve(host, port)
            except (ApiError, OSError) as error:
                if time.monotonic() > deadline:
                    raise
                logger.warning("egress: %s:%d is looked up again: %s", host, port, error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _resolve(self, host: str, port: int) -> Address | None:
        for resolver in self._resolvers:
            address = await resolver(host, port)
            if address is not None:
                return address
        return None


class ServiceResolver:
    """Finds the local process that serves a Service, by the Service's cluster IP."""

    def __init__(self, api: AsyncApi, processes: dict[tuple[str, int], Callable[[], tuple[str, int]]]) -> None:
        """`processes`: by the Service's name (in any namespace) and port, a function that tells the local address."""
        self._api = api
        self._processes = processes

    async def __call__(self, host: str, port: int) -> tuple[str, int] | None:
        for (name, service_port), address in self._processes.items():
            if service_port != port:
                continue
            found = await self._api.call("GET", f"/api/v1/services?fieldSelector=metadata.name%3D{name}")
            if any(host in service["spec"].get("clusterIPs", []) for service in found["items"]):
                return address()
        return None


async def dial(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """Opens a connection; None if nobody has listened for 8 seconds."""
    deadline = time.monotonic() + DIAL_SECONDS
    while True:
        try:
            if isinstance(address, Path):
                return await asyncio.open_unix_connection(address)
            return await asyncio.open_connection(*address)
        except OSError:
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(RETRY_SECONDS)


async def tunnel(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    server_reader: asyncio.StreamReader,
    server_writer: asyncio.StreamWriter,
) -> None:
    """Copy data between both ends until one of them closes."""
    there = asyncio.create_task(_copy(reader, server_writer))
    back = asyncio.create_task(_copy(server_reader, writer))
    try:
        # When one end closes, close the other too: a request to a process that is gone must fail and not wait.
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        there.cancel()
        back.cancel()
        server_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
