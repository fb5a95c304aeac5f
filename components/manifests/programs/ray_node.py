"""Starts Ray's part of a node and then becomes what follows it, so that SIGTERM reaches that.

`leader PORT COMMAND...` starts the head and becomes COMMAND; `worker HOST PORT COMMAND...` waits for the head first.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress


def main(role: str, *words: str) -> None:
    if role == "leader":
        port, *command = words
        subprocess.run(["ray", "start", "--head", f"--port={port}", "--disable-usage-stats"], check=True)
    else:
        host, port, *command = words
        while not listens(host, int(port)):
            time.sleep(2)
    os.execvp(command[0], command)


def listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
