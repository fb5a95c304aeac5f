"""Sends one HTTP request over a Unix socket; the supervisor asks the model servers by it."""

from pathlib import Path
from typing import Any

import aiohttp


async def request(path: Path, method: str, url: str, body: Any = None, timeout: float = 5.0) -> int:
    """Sends the request and returns the answer's status; 0 if nobody answers within `timeout` seconds."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(path)), timeout=aiohttp.ClientTimeout(timeout)
            ) as session,
            session.request(method, f"http://localhost{url}", json=body) as answer,
        ):
            return answer.status
    except (OSError, TimeoutError, aiohttp.ClientError):
        return 0
