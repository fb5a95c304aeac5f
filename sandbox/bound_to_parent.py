"""Replaces itself by another program that gets a signal when the process that started it dies.

Usage: bound_to_parent.py PROGRAM … It is a script and not a hook between fork and exec, because such hooks can deadlock
while gRPC's threads run.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    os.execvp(sys.argv[1], sys.argv[1:])
