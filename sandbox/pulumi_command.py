"""Runs the Pulumi CLI so that it gets exactly one signal when a person interrupts, and never runs on without us.

The CLI stops in order at the first SIGINT, and at once at the second. In our process group it would get one from the
terminal and one from us, so it gets a session of its own.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error

_BOUND_TO_PARENT = Path(__file__).with_name("bound_to_parent.py")

OnOutput = Callable[[str], Any]


class InterruptibleCommand(PulumiCommand):
    """A Pulumi CLI that can be asked to stop while it runs. The file descriptors in `held` stay open as long as it
    does."""

    def __init__(self, executable: Path, held: tuple[int, ...]) -> None:
        super().__init__(str(executable.parent.parent))
        self.command = str(executable)
        self._held = held
        self._running: subprocess.Popen[str] | None = None
        self.interrupted = False

    def interrupt(self) -> None:
        """Asks the running CLI to stop in order; the caller still waits for it."""
        self.interrupted = True
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(signal.SIGINT)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Runs the CLI once. Raises CommandError, with what nobody was told as a note, or KeyboardInterrupt if it was
        asked to stop before."""
        if self.interrupted:
            raise KeyboardInterrupt
        with subprocess.Popen(
            [sys.executable, "-I", "-S", _BOUND_TO_PARENT, self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=self._held,
        ) as process:
            self._running = process
            assert process.stdout is not None and process.stderr is not None
            output: list[str] = []
            errors: list[str] = []
            reader = threading.Thread(target=_pump, args=(process.stderr, errors, on_error), daemon=True)
            reader.start()
            _pump(process.stdout, output, on_output)
            reader.join()
            code = process.wait()
        self._running = None
        result = CommandResult(stdout="\n".join(output), stderr="\n".join(errors), code=code)
        if code != 0:
            error = create_command_error(result)
            if on_output is None and on_error is None:
                error.add_note(result.stderr or result.stdout)
            raise error
        return result


def _pump(stream: IO[str], lines: list[str], tell: OnOutput | None) -> None:
    for line in stream:
        lines.append(line.rstrip())
        if tell:
            tell(line.rstrip())
