"""Starts a control plane's processes so that none outlives its supervisor, and ends exactly those and no others."""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.cluster import layout

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class ProcessId:
    """A process for certain: a pid is given out again, but never with the same start time."""

    name: str
    pid: int
    # In clock ticks since boot.
    started: int

    def alive(self) -> bool:
        """Whether it still runs; one that has ended and only waits for its parent does not."""
        return _start_time(self.pid) == self.started

    def send(self, signal_number: int) -> None:
        if self.alive():
            try:
                os.kill(self.pid, signal_number)
            except ProcessLookupError:
                return


def identify(name: str, pid: int) -> ProcessId | None:
    """The process that has this pid now; None if there is none."""
    started = _start_time(pid)
    return None if started is None else ProcessId(name, pid, started)


def record(directory: Path, processes: Sequence[ProcessId]) -> None:
    """Note the processes that run, the supervisor first."""
    layout.write_json(directory / layout.PROCESSES, [asdict(process) for process in processes])


def recorded(directory: Path) -> list[ProcessId]:
    stored = layout.read_json(directory / layout.PROCESSES)
    return [] if stored is None else [ProcessId(**process) for process in stored]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came to hold within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(processes: Sequence[ProcessId], grace_seconds: float) -> list[ProcessId]:
    """Ask them to end, then kill them; returns those that are still there."""

    def gone() -> bool:
        return not any(process.alive() for process in processes)

    for signal_number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        for process in processes:
            process.send(signal_number)
        if wait_until(gone, seconds):
            return []
    return [process for process in processes if process.alive()]


async def spawn(command: Sequence[str], log: Path, environment: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a child in the working folder that the kernel kills once this process is gone.

    The kernel ties that to the thread that starts the child: call it from the main thread only.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have been killed before the line above.
        if os.getppid() != parent:
            os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            preexec_fn=die_with_parent,
        )


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name may hold spaces and parentheses: count from behind it.
    state, *rest = stat.rpartition(")")[2].split()
    threads, started = int(rest[16]), int(rest[18])
    # A first thread that has ended does not say that the others have, and those still hold the sockets.
    return None if state in "ZX" and threads <= 1 else started
