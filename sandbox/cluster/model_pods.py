"""Starts and ends the servers of pods that serve a model, and carries out the probes of those pods."""

import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.cluster import layout, pods, unix_http
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.nccl import facts
from sandbox.cluster.pod_shutdowns import PodShutdowns, Stage
from sandbox.cluster.pod_volumes import PodVolumes
from sandbox.cluster.pods import Pod
from sandbox.cluster.workloads import ModelServers
from sandbox.models.arguments import ServeArguments, serve_arguments, words_behind
from sandbox.models.behaviour import ANNOTATION, Behaviour
from sandbox.models.servers import ServerSpec

EVERY_MODEL = "*"

_TAG = re.compile(r":v?([^:@/]+)(?:@.*)?$")


@dataclass
class _Liveness:
    """The time since which a container's liveness probe fails, on the monotonic clock."""

    key: str
    since: float


@dataclass(frozen=True)
class _Server:
    """A model server's container, and the description of the process that stands for it."""

    pod: Pod
    container: dict[str, Any]
    arguments: ServeArguments
    spec: ServerSpec

    @property
    def socket(self) -> Path:
        return Path(self.spec.socket)


class ModelPods:
    """The model servers' pods as they were at the last look."""

    def __init__(self, api: AsyncApi, known: ModelServers | None, volumes: PodVolumes) -> None:
        self._api = api
        self._known = known
        self._volumes = volumes
        self._servers: list[_Server] = []
        self._told: list[ServerSpec] = []
        self._failing: dict[str, _Liveness] = {}
        self._shutdowns = PodShutdowns()

    async def reconcile(self, found: list[Pod]) -> bool:
        """Looks at these pods once; returns whether every server among them is ready, and none is being deleted."""
        behaviours: dict[str, str] = layout.read_json(layout.BEHAVIOURS) or {}
        found = [pod for pod in found if not await self._aborts(pod)]
        running = [
            server
            for pod in found
            if pods.runs(pod) and (server := self._server(pod, behaviours)) and await self._volumes.mount(pod)
        ]
        leaving = [pod for pod in found if pods.leaves(pod) and self._container(pod)]
        going = [server for pod in leaving if (server := await self._still_there(pod, behaviours))]
        self._shutdowns.forget_all_but(leaving)
        specs = [server.spec for server in (*running, *going) if not server.arguments.headless]
        if specs != self._told:
            status = await unix_http.request(
                layout.MODELS_CONTROL_SOCKET, "PUT", "/servers", [spec.to_json() for spec in specs]
            )
            if status != 200:
                raise ConnectionError(f"the model servers' process does not do as told: {status}")
            self._told = specs
        self._servers = [*running, *going]
        return all([await self._probe(server) for server in running]) and not leaving

    async def _aborts(self, pod: Pod) -> bool:
        """Whether NCCL's plugin has just ended the server because of its environment, which the plugin checks at the
        start."""
        found = self._container(pod) if pods.runs(pod) else None
        if found is None or "running" not in (_status(pod, found[0]) or {}).get("state", {}):
            return False
        container, _ = found
        why = facts.refusal({each["name"]: each.get("value", "") for each in container.get("env", [])})
        if why is not None:
            await pods.set_crashed(self._api, pod, facts.ABORTED, why)
        return why is not None

    async def _still_there(self, pod: Pod, behaviours: dict[str, str]) -> _Server | None:
        """The server of a pod that is being deleted; None once it has shut down, and then the pod is removed."""
        server = self._server(pod, behaviours)
        stage = Stage.GONE
        if server is not None:
            listens = not server.arguments.headless and server.socket.exists()
            stage = self._shutdowns.stage(pod, server.container, listens=listens)
        if server is None or stage is Stage.GONE:
            await pods.remove(self._api, pod)
            return None
        return replace(server, spec=replace(server.spec, ending=stage is Stage.ENDING))

    async def resolve(self, host: str, port: int) -> Path | None:
        """The socket on this machine at which a pod's server, or a node's agent, is served; None if there is none."""
        if port == layout.KUBELET_PORT:
            return layout.NODE_SOCKET
        for server in self._servers:
            addresses = [each["ip"] for each in server.pod["status"].get("podIPs", [])]
            if host in addresses and port == server.arguments.port and not server.arguments.headless:
                return server.socket
        return None

    async def _probe(self, server: _Server) -> bool:
        """Carries out the pod's probes and writes their result into its status; returns whether it is ready."""
        was_ready = pods.is_ready(server.pod)
        # A kubelet does not run the other probes before the startup probe has succeeded once.
        ready = await self._passes(server, "startupProbe") and await self._passes(server, "readinessProbe")
        if was_ready and await self._is_dead(server):
            await pods.set_restarted(self._api, server.pod)
            return False
        if ready != was_ready:
            await pods.set_ready(self._api, server.pod, ready)
        return ready

    async def _is_dead(self, server: _Server) -> bool:
        """Whether the liveness probe has failed for longer than it may."""
        uid, key = server.pod["metadata"]["uid"], server.spec.key
        if await self._passes(server, "livenessProbe"):
            self._failing.pop(uid, None)
            return False
        failing = self._failing.get(uid)
        if failing is None or failing.key != key:
            failing = self._failing[uid] = _Liveness(key, time.monotonic())
        probe = server.container["livenessProbe"]
        patience = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
        return time.monotonic() - failing.since >= patience

    async def _passes(self, server: _Server, kind: str) -> bool:
        """Carries out one probe. A command inside the container cannot be tried here, and counts as passed."""
        probe = server.container.get(kind)
        if probe is None or not ("httpGet" in probe or "tcpSocket" in probe):
            return True
        action: dict[str, Any] = probe.get("httpGet") or probe["tcpSocket"]
        if _port(action["port"], server.container) != server.arguments.port or server.arguments.headless:
            # Nobody listens at that port.
            return False
        path = action.get("path", "/") if "httpGet" in probe else "/health"
        status = await unix_http.request(server.socket, "GET", path, timeout=probe.get("timeoutSeconds", 1))
        return 200 <= status < 400 if "httpGet" in probe else status != 0

    def _container(self, pod: Pod) -> tuple[dict[str, Any], list[str]] | None:
        """The container that serves a model, and the words behind the command that starts the server."""
        containers: list[dict[str, Any]] = pod["spec"]["containers"] if self._known else []
        for container in containers:
            words = self._known and words_behind(self._known.command, pods.command_line(container))
            if words is not None:
                return container, words
        return None

    def _server(self, pod: Pod, behaviours: dict[str, str]) -> _Server | None:
        """The server of a pod; None if the pod has no such container, or it does not run."""
        found = self._container(pod)
        if found is None:
            return None
        container, words = found
        status = _status(pod, container)
        if status is None or "running" not in status["state"]:
            return None
        uid, restarts = pod["metadata"]["uid"], status["restartCount"]
        tag = _TAG.search(container["image"])
        spec = ServerSpec(
            key=f"{uid}-{restarts}",
            socket=str(layout.MODEL_SOCKETS / f"{uid}-{restarts}.sock"),
            words=tuple(words),
            version=tag[1] if tag else "unknown",
            behaviour=self._behaviour(pod, behaviours),
            started=pods.unix_seconds(status["state"]["running"]["startedAt"]),
        )
        return _Server(pod, container, serve_arguments(words), spec)

    def _behaviour(self, pod: Pod, behaviours: dict[str, str]) -> str:
        """The behaviour that the pod's annotation asks for, or else that of its model. Raises ValueError."""
        metadata = pod["metadata"]
        model = metadata.get("labels", {}).get(self._known.name_label, "") if self._known else ""
        kept = behaviours.get(model, behaviours.get(EVERY_MODEL, ""))
        text: str = metadata.get("annotations", {}).get(ANNOTATION, kept)
        try:
            Behaviour.parse(text)
        except ValueError as error:
            raise ValueError(f"{pods.name_of(pod)}: {json.dumps(text)}: {error}") from error
        return text


def _status(pod: Pod, container: dict[str, Any]) -> dict[str, Any] | None:
    statuses: list[dict[str, Any]] = pod["status"].get("containerStatuses", [])
    return next((each for each in statuses if each["name"] == container["name"]), None)


def _port(port: int | str, container: dict[str, Any]) -> int | None:
    if isinstance(port, int):
        return port
    return next((each["containerPort"] for each in container.get("ports", []) if each.get("name") == port), None)
