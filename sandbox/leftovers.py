"""Ends what a killed Pulumi engine has left behind.

A provider looks only every five minutes whether its engine is still there (`rpcutil.Healthcheck` in
`pkg/resource/provider/main.go` of Pulumi 3.215, with which the Kubernetes provider is built; read on 2026-11-28). Until
then it goes on with what it was asked, and keeps open what it inherited, the lock of the sandbox among it.
"""

import os
from pathlib import Path

from sandbox.cluster import processes
from sandbox.cluster.processes import ProcessId

_GRACE_SECONDS = 2.0


def end_leftovers(scratch: Path) -> None:
    """Ends the processes of all engines that are gone and had this temporary folder."""
    processes.end(_leftovers(scratch), _GRACE_SECONDS)


def _leftovers(scratch: Path) -> list[ProcessId]:
    """An engine leads a session, which all that it started belongs to: also when nobody leads it any more."""
    mark = f"TMPDIR={scratch}".encode()
    found: list[ProcessId] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (folder / "environ").read_bytes().split(b"\0")
            session = os.getsid(int(folder.name)) if marked else 0
        except OSError:
            continue
        process = processes.identify("leftover", int(folder.name)) if marked else None
        if process and not processes.identify("engine", session):
            found.append(process)
    return found
