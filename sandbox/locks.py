"""Locks that the system releases when their holder dies."""

import fcntl


def taken(descriptor: int) -> bool:
    """Whether this process holds the file or folder from now on, for as long as the descriptor is open."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
