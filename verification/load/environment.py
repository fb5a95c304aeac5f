"""Makes the environment of the load client: about 1.2 GB, once, in the tools' cache and never in the program's own."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

CLIENT = "aiperf"
REQUIREMENTS = "requirements-load.txt"


class ClientUnavailable(Exception):
    """The client cannot be installed or run; the message is one line."""


def client(folder: Path) -> Path:
    """The client's command, installed first if need be from the pins in `folder`. Raises ClientUnavailable."""
    pins = folder / REQUIREMENTS
    try:
        digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise ClientUnavailable(f"{pins} cannot be read: {error.strerror}") from None
    environment = _cache() / f"{CLIENT}-{digest}"
    with _alone(environment):
        if not (environment / ".complete").exists():
            print(f"making {environment}: about 1.2 GB, some minutes, once", flush=True)
            _run([sys.executable, "-m", "venv", str(environment)])
            python = environment / "bin" / "python"
            _run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(pins)])
            # Last, so that an interrupted run is taken for unfinished and continued by the next.
            (environment / ".complete").touch()
    return environment / "bin" / CLIENT


def _cache() -> Path:
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # A relative XDG_CACHE_HOME is invalid by its specification and to be ignored.
    return (Path(configured) if configured.startswith("/") else Path.home() / ".cache") / "inference-platform"


@contextmanager
def _alone(environment: Path) -> Generator[None]:
    """Two runs at once: the second waits for the first and finds its work done."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_name(f"{environment.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise ClientUnavailable(f"{' '.join(command[1:4])} ended with {status}, see above")
