"""Lets a command end in order at Ctrl-C and at SIGTERM, whoever started it.

A shell without job control starts background commands with SIGINT ignored, and Python would leave it ignored.
"""

import signal

EXIT_STATUS = 130


def raise_when_interrupted() -> None:
    """Makes both signals raise KeyboardInterrupt, and children start with neither signal ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
