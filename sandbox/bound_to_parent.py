"""Becomes another program, which is told to stop when the process that started it dies: bound_to_parent.py PROGRAM …

Run as a script and not as a hook between fork and exec: with gRPC's threads about, such hooks can deadlock.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    os.execvp(sys.argv[1], sys.argv[1:])
