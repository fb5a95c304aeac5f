"""Starts a control plane's processes so that none outlives its supervisor, and ends only these processes."""

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
    """Identifies a process: the system gives a pid to another process later, but never with the same start time."""

    name: str
    pid: int
    # Its start time in clock ticks since the machine's start.
    started: int

    def alive(self) -> bool:
        """Whether it still runs; a process that has ended and only waits for its parent does not."""
        return _start_time(self.pid) == self.started

    def send(self, signal_number: int) -> None:
        if self.alive():
            try:
                os.kill(self.pid, signal_number)
            except ProcessLookupError:
                return


def identify(name: str, pid: int) -> ProcessId | None:
    """The process that has this pid now; None if there is no such process."""
    started = _start_time(pid)
    return None if started is None else ProcessId(name, pid, started)


def record(directory: Path, processes: Sequence[ProcessId]) -> None:
    """Write down the processes that run, the supervisor first."""
    layout.write_json(directory / layout.PROCESSES, [asdict(process) for process in processes])


def recorded(directory: Path) -> list[ProcessId]:
    stored = layout.read_json(directory / layout.PROCESSES)
    return [] if stored is None else [ProcessId(**process) for process in stored]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until the condition holds; returns whether it did within that many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(processes: Sequence[ProcessId], grace_seconds: float) -> list[ProcessId]:
    """Ask the processes to end, then kill them; returns those that still run."""

    def gone() -> bool:
        return not any(process.alive() for process in processes)

    for signal_number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        for process in processes:
            process.send(signal_number)
        if wait_until(gone, seconds):
            return []
    return [process for process in processes if process.alive()]


async def spawn(command: Sequence[str], log: Path, environment: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a child in the working folder. The kernel kills it once this process is gone.

    The kernel ties that to the thread that starts the child, so call this from the main thread only.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have been killed before the line above was reached.
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
    # The command's name may contain spaces and parentheses, so count from the last one.
    state, *rest = stat.rpartition(")")[2].split()
    threads, started = int(rest[16]), int(rest[18])
    # Even if the first thread has ended, others may run and hold the sockets.
    return None if state in "ZX" and threads <= 1 else started
