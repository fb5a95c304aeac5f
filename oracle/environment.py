"""Makes the environment that vLLM's own code runs in: about 9 GB, once, in the cache folder.

It lies beside the project's own environment because vLLM pins hundreds of packages that this project does not want.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from catalog import PINS

VLLM_VERSION = PINS.vllm
CONFIGS = "aiconfigurator-core"
"""A package with published config.json files, which it needs none of its own dependencies for."""
CONFIGS_VERSION = PINS.aiconfigurator_core
NEEDED_GIB = 16  # the installed files, and pip's copy of the largest wheels while it unpacks them


class EnvironmentUnavailable(Exception):
    """The environment cannot be made; the message is one line that says why."""


def folder() -> Path:
    """The folder of the pinned version's environment, whether it exists or not."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # A relative XDG_CACHE_HOME is invalid by its specification and to be ignored.
    cache = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return cache / "inference-platform" / f"vllm-{VLLM_VERSION}"


def python() -> Path | None:
    """The interpreter of the finished environment; None while there is none."""
    interpreter = folder() / "bin" / "python"
    return interpreter if _marker().exists() and interpreter.exists() else None


def make() -> Path:
    """The interpreter of the environment, which is made first if need be.

    The marker is written last, so that an interrupted run is taken for unfinished and continued by the next.
    """
    with _alone():
        if interpreter := python():
            return interpreter
        _refuse_small_disk()
        target = folder()
        print(f"making {target}: about 9 GB to download and unpack, some minutes, once", flush=True)
        _run([sys.executable, "-m", "venv", str(target)])
        interpreter = target / "bin" / "python"
        # Bytecode is compiled at the first import of the few modules the parser needs, not for all 9 GB.
        _run([str(interpreter), "-m", "pip", "install", "--no-compile", "--no-cache-dir", f"vllm=={VLLM_VERSION}"])
        _run([str(interpreter), "-m", "pip", "install", "--no-deps", "--no-cache-dir", f"{CONFIGS}=={CONFIGS_VERSION}"])
        _marker().touch()
        return interpreter


def _marker() -> Path:
    return folder() / f".complete-with-{CONFIGS}-{CONFIGS_VERSION}"


@contextmanager
def _alone() -> Generator[None]:
    """Two runs at once: the second waits for the first and finds its work done."""
    lock = folder().with_name(f"{folder().name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _refuse_small_disk() -> None:
    free = shutil.disk_usage(folder().parent).free / 2**30
    if free < NEEDED_GIB:
        raise EnvironmentUnavailable(f"{folder().parent} has {free:.0f} GiB free, {NEEDED_GIB} GiB are needed for vLLM")


def _run(command: list[str]) -> None:
    # pip unpacks in the temporary folder, which is often small memory; the cache's own disk has been measured.
    scratch = folder().with_name(f"{folder().name}.tmp")
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        status = subprocess.run(command, env={**os.environ, "TMPDIR": str(scratch)}).returncode
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if status != 0:
        raise EnvironmentUnavailable(f"{' '.join(command[1:])} ended with {status}, see above")


def variables() -> dict[str, str]:
    """The environment variables of a process there; none of the caller's variables may change vLLM's defaults."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("VLLM_", "HF_", "PYTHON"))}


def site_packages() -> Path:
    """The folder of packages in the finished environment."""
    return next((folder() / "lib").glob("python3.*/site-packages"))


if __name__ == "__main__":
    try:
        print(make())
    except EnvironmentUnavailable as error:
        sys.exit(f"error: {error}")
