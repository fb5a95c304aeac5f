"""Waits for what the sandbox does in its own time."""

import time
from collections.abc import Callable


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Until it holds; fails when it has not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
