"""Runs the pods of Jobs whose outcome matters as local processes; a test between nodes gets stand-ins for its tools."""

import asyncio
import logging
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.cluster import layout, pods
from sandbox.cluster.api import MERGE_PATCH, AsyncApi
from sandbox.cluster.forward import proxy_of
from sandbox.cluster.nccl.facts import nccl_image
from sandbox.cluster.nccl.image import NcclPod
from sandbox.cluster.pods import Pod
from sandbox.cluster.workloads import Jobs
from sandbox.models.node_agent import log_file

logger = logging.getLogger(__name__)

OUTCOME_ANNOTATION = "sandbox/outcome"
SIMULATED = """\
# Simulated: no GPU ran. The pod's own script did, with stand-ins for what is in its image. NCCL's version and the
# highest figure are those of Google's own test or as told; the others were recorded on two a3-megagpu-8g nodes.
"""

PYTHON = ("python3", "python")
NO_SUCH_PROGRAM = 127
SIGTERM = 128 + signal.SIGTERM
# A kubelet has these limits for a termination message that it takes from the log.
MESSAGE_LINES = 80
MESSAGE_BYTES = 2048

_REFERENCE = re.compile(r"\$\((\w+)\)")
_FIELD = re.compile(r"metadata\.(annotations|labels)\['(.+)'\]")

Spawn = Callable[[str, list[str], dict[str, str]], Awaitable[asyncio.subprocess.Process]]
End = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class _Run:
    name: str
    process: asyncio.subprocess.Process
    deadline: float | None
    test: NcclPod | None = None


class JobPods:
    """One process for each pod of a Job that really runs, for as long as the pod wants it."""

    def __init__(self, api: AsyncApi, known: Jobs | None, proxy: str, spawn: Spawn, end: End) -> None:
        """`known`: the Jobs that run; `proxy`: the URL by which processes reach the cluster's Services."""
        self._api = api
        self._known = known or Jobs(label="")
        self._proxy = proxy
        self._spawn = spawn
        self._end = end
        self._runs: dict[str, _Run] = {}

    async def reconcile(self, found: list[Pod]) -> bool:
        """Looks at these pods once; returns whether nothing is under way."""
        jobs = {pod["metadata"]["uid"]: pod for pod in found if pods.runs(pod) and self._kind(pod) in self._known.kinds}
        for uid in [uid for uid in self._runs if uid not in jobs]:
            await self._forget(uid)
        for pod in found:
            if pods.leaves(pod) and self._kind(pod) in self._known.kinds and not pods.ended(pod):
                # Otherwise its Job would wait for its end, and never start another pod.
                await pods.set_finished(self._api, pod, SIGTERM, "")
        for uid, pod in jobs.items():
            if uid not in self._runs:
                await (self._start_test if self._kind(pod) in self._known.fabric_tests else self._start)(uid, pod)
            else:
                await self._look_after(uid, pod)
        return not jobs

    def _kind(self, pod: Pod) -> str | None:
        return pod["metadata"].get("labels", {}).get(self._known.label)

    async def _start(self, uid: str, pod: Pod) -> None:
        container = _container(pod)
        environment = _environment(pod, container)
        program, *arguments = [_expanded(word, environment) for word in pods.command_line(container)] or [""]
        if program.rpartition("/")[2] not in PYTHON:
            await self._refuse(pod, f"the sandbox runs nothing but python3, and not {program!r}")
            return
        self._runs[uid] = await self._run(pod, [sys.executable, *arguments], {**environment, **self._surroundings(uid)})

    def _surroundings(self, uid: str) -> dict[str, str]:
        """What leads a pod's process to the cluster's Services and, trusting our certificate, to the hosts outside."""
        proxy, trusted = proxy_of(self._proxy, uid), str(Path.cwd() / layout.CA_FILE)
        return {
            "http_proxy": proxy,
            "https_proxy": proxy,
            "SSL_CERT_FILE": trusted,
            "REQUESTS_CA_BUNDLE": trusted,
            "PYTHONUNBUFFERED": "1",
        }

    async def _start_test(self, uid: str, pod: Pod) -> None:
        """Starts a test of the fabric between nodes, with the stand-ins for what is in its image."""
        container = _container(pod)
        image = nccl_image(container["image"])
        if image is None:
            await self._refuse(pod, f"the sandbox does not know what is in {container['image']}")
            return
        spec, here = pod["spec"], Path.cwd()
        host = f"{spec.get('hostname', pod['metadata']['name'])}.{spec.get('subdomain', '')}"
        folder, behaviour = here / layout.TEST_PODS / uid, here / layout.FABRIC_BEHAVIOUR
        test = NcclPod(image, folder, here / layout.TEST_HOSTS, host, behaviour)
        test.prepare()
        self._log_of(pod).parent.mkdir(parents=True, exist_ok=True)
        self._log_of(pod).write_text(SIMULATED, encoding="utf-8")
        annotation = {"metadata": {"annotations": {OUTCOME_ANNOTATION: "simulated"}}}
        await self._api.call("PATCH", pods.path_of(pod), annotation, MERGE_PATCH)
        environment = _environment(pod, container)
        line = [_expanded(word, environment) for word in pods.command_line(container)]
        run = await self._run(pod, test.command(line), test.environment(environment))
        self._runs[uid] = replace(run, test=test)

    async def _run(self, pod: Pod, command: list[str], environment: dict[str, str]) -> _Run:
        name = str(self._log_of(pod).relative_to(layout.LOGS).with_suffix(""))
        process = await self._spawn(name, command, environment)
        seconds = pod["spec"].get("activeDeadlineSeconds")
        return _Run(name, process, None if seconds is None else asyncio.get_running_loop().time() + seconds)

    async def _refuse(self, pod: Pod, message: str) -> None:
        self._log_of(pod).parent.mkdir(parents=True, exist_ok=True)
        self._log_of(pod).write_text(f"{message}\n", encoding="utf-8")
        await pods.set_finished(self._api, pod, NO_SUCH_PROGRAM, message)

    async def _look_after(self, uid: str, pod: Pod) -> None:
        run = self._runs[uid]
        exit_code = run.process.returncode
        if exit_code is None:
            if run.deadline is not None and asyncio.get_running_loop().time() > run.deadline:
                run.process.kill()
            return
        # A signal ended it; shells and kubelets count 128 and the signal's number.
        exit_code = 128 - exit_code if exit_code < 0 else exit_code
        message = self._message(pod) if exit_code != 0 else ""
        await pods.set_finished(self._api, pod, exit_code, message)
        logger.info("%s ended with exit code %d", pods.name_of(pod), exit_code)
        await self._forget(uid)

    def _message(self, pod: Pod) -> str:
        """The termination message: the end of the log, if the container asked for that."""
        if _container(pod).get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        text = self._log_of(pod).read_text(encoding="utf-8", errors="replace")
        last = "".join(text.splitlines(keepends=True)[-MESSAGE_LINES:])
        return last.encode()[-MESSAGE_BYTES:].decode(errors="ignore")

    async def _forget(self, uid: str) -> None:
        run = self._runs.pop(uid)
        if run.test is not None:
            run.test.leave()
        await self._end(run.name)

    def _log_of(self, pod: Pod) -> Path:
        metadata = pod["metadata"]
        return log_file(layout.POD_LOGS, metadata["namespace"], metadata["name"], _container(pod)["name"])


def _container(pod: Pod) -> dict[str, Any]:
    return pod["spec"]["containers"][0]


def _environment(pod: Pod, container: dict[str, Any]) -> dict[str, str]:
    """The container's variables that are written out or come from the pod's metadata. Those from Secrets and the like
    are left out: they are not for a process of this machine."""
    found: dict[str, str] = {}
    for variable in container.get("env", []):
        source: dict[str, Any] = variable.get("valueFrom", {})
        if not source:
            found[variable["name"]] = _expanded(variable.get("value", ""), found)
        elif field := _FIELD.fullmatch(source.get("fieldRef", {}).get("fieldPath", "")):
            found[variable["name"]] = pod["metadata"].get(field[1], {}).get(field[2], "")
    return found


def _expanded(text: str, environment: dict[str, str]) -> str:
    """The text with each known `$(NAME)` replaced, as Kubernetes does it."""
    return _REFERENCE.sub(lambda match: environment.get(match[1], match[0]), text)
