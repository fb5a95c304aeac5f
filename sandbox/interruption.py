"""A command ends in order at Ctrl-C and at SIGTERM, whoever started it.

A shell without job control starts what runs in its background with SIGINT ignored, which Python would leave so.
"""

import signal

EXIT_STATUS = 130


def raise_when_interrupted() -> None:
    """From now on either signal raises KeyboardInterrupt, and programs that are started have neither ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
