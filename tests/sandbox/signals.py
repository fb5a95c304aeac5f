"""Starts commands that a test will interrupt, with SIGINT as the test says and not as whoever runs the tests has it."""

import signal
import sys
from collections.abc import Sequence

TERMINAL = signal.SIG_DFL
BACKGROUND = signal.SIG_IGN
"""A shell without job control ignores SIGINT for what it starts in the background, and every child inherits that."""


def started_from(where: signal.Handlers, command: Sequence[str]) -> list[str]:
    """The command line that begins the command there."""
    program = (
        f"import os, signal, sys; signal.signal(signal.SIGINT, signal.{where.name}); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-I", "-S", "-c", program, *command]
