"""Runs the Python programs of containers as processes of this machine, with what a kubelet and a node give them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.cluster import container_environment, layout
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.container_environment import Unresolved
from sandbox.cluster.forward import proxy_of
from sandbox.cluster.node_disk import NodeDisk
from sandbox.cluster.pod_events import PodEvents
from sandbox.cluster.pod_volumes import Paths, PodVolumes
from sandbox.cluster.pods import Pod
from sandbox.models.node_agent import log_file, previous_log

PYTHON = ("python3", "python")
# A kubelet has these limits for a termination message that it takes from the log.
MESSAGE_LINES = 80
MESSAGE_BYTES = 2048

Spawn = Callable[[str, list[str], dict[str, str]], Awaitable[asyncio.subprocess.Process]]
End = Callable[[str], Awaitable[None]]


class NotPython(Exception):
    """The container starts another program; the message says which."""


class NotYet(Exception):
    """The container cannot start, since something is not there; the pod's events say what. The message is a kubelet's
    where it is the container's own."""


@dataclass(frozen=True)
class Program:
    """A container's process. `name` is that of its log; `quotes_log`: whether the end of the log is its message."""

    name: str
    process: asyncio.subprocess.Process
    quotes_log: bool

    @property
    def exit_code(self) -> int | None:
        """The process's exit code, or None as long as it runs. Where a signal ended it, shells and kubelets count 128
        and the signal's number."""
        code = self.process.returncode
        return code if code is None or code >= 0 else 128 - code

    def message(self) -> str:
        """The termination message: the end of the log, if the container asked for that."""
        if not self.quotes_log:
            return ""
        text = layout.log_file(self.name).read_text(encoding="utf-8", errors="replace")
        last = "".join(text.splitlines(keepends=True)[-MESSAGE_LINES:])
        return last.encode()[-MESSAGE_BYTES:].decode(errors="ignore")


class Programs:
    """Starts and ends them. `proxy`: the URL by which processes reach the cluster's Services and what is outside."""

    def __init__(self, api: AsyncApi, volumes: PodVolumes, proxy: str, spawn: Spawn, end: End) -> None:
        self._api = api
        self._volumes = volumes
        self._proxy = proxy
        self._spawn = spawn
        self._end = end
        self._events = PodEvents(api)

    async def start(self, pod: Pod, container: dict[str, Any]) -> Program:
        """Starts a container's Python. Raises NotPython, and NotYet."""
        if not await self._volumes.mount(pod):
            raise NotYet("")
        variables = await self.variables(pod, container)
        program, *words = container_environment.words(container, variables) or [""]
        if program.rpartition("/")[2] not in PYTHON:
            raise NotPython(f"the sandbox runs nothing but python3, and not {program!r}")
        paths = await self._volumes.paths(pod, container)
        # What is in the image is not known here, so there is the standard library and no package of ours.
        command = [sys.executable, "-S", *_here(words, paths)]
        environment = {
            "HOME": str(paths.home),
            "TMPDIR": str(paths.temporary),
            "PYTHONPATH": "",
            **{name: paths.here(value) for name, value in variables.items()},
            **self._surroundings(pod),
        }
        disk = NodeDisk.read(layout.NODE_BEHAVIOUR)
        return await self.run(pod, container, disk.around(command, paths.of_the_node), environment)

    async def variables(self, pod: Pod, container: dict[str, Any]) -> dict[str, str]:
        """The container's own variables. Raises NotYet."""
        try:
            return await container_environment.environment(self._api, pod, container)
        except Unresolved as error:
            await self._events.warn(pod, "Failed", f"Error: {error}")
            raise NotYet(str(error)) from error

    async def run(
        self, pod: Pod, container: dict[str, Any], command: list[str], environment: dict[str, str], head: str = ""
    ) -> Program:
        """Runs this command as the container's process. `head`: what its log begins with."""
        name = log_of(pod, container)
        log = layout.log_file(name)
        if log.exists():
            log.replace(previous_log(log))
        layout.write(log, head)
        process = await self._spawn(name, command, environment)
        quotes = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return Program(name, process, quotes)

    async def end(self, program: Program) -> None:
        """Ends the process if it still runs."""
        await self._end(program.name)

    def _surroundings(self, pod: Pod) -> dict[str, str]:
        """What leads a pod's process to the cluster's Services and, trusting our certificate, to the hosts outside."""
        proxy, trusted = proxy_of(self._proxy, pod["metadata"]["uid"]), str(Path.cwd() / layout.CA_FILE)
        return {
            "http_proxy": proxy,
            "https_proxy": proxy,
            "SSL_CERT_FILE": trusted,
            "REQUESTS_CA_BUNDLE": trusted,
            "PYTHONUNBUFFERED": "1",
        }


def log_of(pod: Pod, container: dict[str, Any]) -> str:
    """The name of a container's log, and of its process."""
    metadata = pod["metadata"]
    file = log_file(layout.POD_LOGS, metadata["namespace"], metadata["name"], container["name"])
    return str(file.relative_to(layout.LOGS).with_suffix(""))


def _here(words: Sequence[str], paths: Paths) -> list[str]:
    """The words with this machine's paths; the text of a program is left as it is."""
    return [word if before == "-c" else paths.here(word) for before, word in zip(["", *words], words, strict=False)]
