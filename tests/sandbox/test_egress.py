"""The API server's way to Services and pods holds where the API server itself is too busy for a moment."""

import asyncio
from pathlib import Path

import pytest

from sandbox.cluster import egress
from sandbox.cluster.egress import Address, EgressProxy


async def connect(folder: Path, failures: int) -> bytes:
    """What CONNECT brings where that many lookups of its destination fail first."""
    left = failures

    async def resolve(host: str, port: int) -> Address | None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ConnectionError("Remote end closed connection without response")
        return folder / "server.sock"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / "server.sock")
    proxy = await EgressProxy([resolve]).serve(folder / "egress.sock")
    async with server, proxy:
        reader, writer = await asyncio.open_unix_connection(folder / "egress.sock")
        writer.write(b"CONNECT 10.96.0.7:443 HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
    return answer


def test_a_lookup_that_is_broken_off_is_made_again(tmp_path: Path) -> None:
    assert asyncio.run(connect(tmp_path, 2)).endswith(b"\r\n\r\nhello")


def test_a_lookup_that_never_succeeds_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "DIAL_SECONDS", 0.2)
    assert asyncio.run(connect(tmp_path, 1000)) == b""
