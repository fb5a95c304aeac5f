"""Replaces itself by a program for which folders are on a small file system of their own.

Usage: small_disk.py BYTES FOLDER … -- PROGRAM … The file systems are in memory, empty at first, seen by nobody else,
and gone with the program. It is a script of its own, since a namespace belongs to the process that makes it.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1
CANNOT = 125
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _own_mounts() -> None:
    """A mount namespace of its own; where only root may make one, in a user namespace of its own."""
    if os.geteuid() == 0:
        _checked(_libc.unshare(_CLONE_NEWNS))
    else:
        user, group = os.geteuid(), os.getegid()
        _checked(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        # The kernel forgets this when a process gains rights.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _checked(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))


def main(words: list[str]) -> None:
    split = words.index("--")
    size, *folders = words[:split]
    try:
        _own_mounts()
        for folder in folders:
            _checked(_libc.mount(b"node", folder.encode(), b"tmpfs", 0, f"size={size},mode=0700".encode()))
    except OSError as error:
        print(f"the sandbox cannot make a small disk on this machine: {error}", file=sys.stderr)
        sys.exit(CANNOT)
    os.execv(words[split + 1], words[split + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
