"""Chooses the ports of a control plane, and takes the same ones again at its next start."""

import random
import socket
import time
from dataclasses import asdict, fields
from pathlib import Path

from sandbox.cluster import layout
from sandbox.cluster.layout import Ports

# These ports are below the range from which Linux takes the local ports of outgoing connections.
CANDIDATES = range(20000, 32000)


# For so many seconds the API server's port may still be held by the process that used it before.
PATIENCE_SECONDS = 10.0


class PortTaken(Exception):
    """Another process uses the API server's port, which is already known outside; the message names it."""


def choose(directory: Path) -> Ports:
    """The ports for the next start: the API server's last one, and the others if they are still free.

    Raises PortTaken if the API server's port is not free: a program's state holds that port, and would talk to a
    stranger.
    """
    stored = layout.read_ports(directory)
    if stored is not None:
        _wait_for(stored.kube_apiserver)
    kept = {} if stored is None else {name: port for name, port in asdict(stored).items() if _free(port)}
    chosen: dict[str, int] = {}
    for field in fields(Ports):
        chosen[field.name] = kept.get(field.name) or _any_free(taken={*kept.values(), *chosen.values()})
    ports = Ports(**chosen)
    layout.write_json(directory / layout.PORTS, asdict(ports))
    return ports


def another(first: int, used: set[int]) -> int:
    """The given port if it is not used yet, else a free one."""
    return first if first not in used else _any_free(taken={first, *used})


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _free(port):
        if time.monotonic() > deadline:
            raise PortTaken(
                f"another process listens on 127.0.0.1:{port}, its API server's address; "
                f"end that process and try again (`ss -ltnp 'sport = :{port}'` names it)"
            )
        time.sleep(0.2)


def _any_free(taken: set[int]) -> int:
    for port in random.sample(CANDIDATES, k=1000):
        if port not in taken and _free(port):
            return port
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # The servers do the same, so that lingering connections of the last run do not make a port count as taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError:
            return False
    return True
