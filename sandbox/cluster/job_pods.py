"""Runs the pods of Jobs whose outcome matters as local processes; a test between nodes gets stand-ins for its tools."""

import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.cluster import container_environment, layout, pods
from sandbox.cluster.api import MERGE_PATCH, AsyncApi
from sandbox.cluster.nccl.facts import nccl_image
from sandbox.cluster.nccl.image import NcclPod
from sandbox.cluster.pods import Pod
from sandbox.cluster.programs import NotPython, NotYet, Program, Programs, log_of
from sandbox.cluster.workloads import Jobs

logger = logging.getLogger(__name__)

OUTCOME_ANNOTATION = "sandbox/outcome"
SIMULATED = """\
# Simulated: no GPU ran. The pod's own script did, with stand-ins for what is in its image. NCCL's version and the
# highest figure are those of Google's own test or as told; the others were recorded on two a3-megagpu-8g nodes.
"""

NO_SUCH_PROGRAM = 127
SIGTERM = 128 + signal.SIGTERM


@dataclass(frozen=True)
class _Run:
    program: Program
    deadline: float | None
    test: NcclPod | None = None


class JobPods:
    """One process for each pod of a Job that really runs, for as long as the pod wants it."""

    def __init__(self, api: AsyncApi, known: Jobs | None, programs: Programs) -> None:
        """`known`: the Jobs that run."""
        self._api = api
        self._known = known or Jobs(label="")
        self._programs = programs
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
            if uid in self._runs:
                await self._look_after(uid, pod)
                continue
            # What is missing may come, and the pod's events say what it is.
            with contextlib.suppress(NotYet):
                await (self._start_test if self._kind(pod) in self._known.fabric_tests else self._start)(uid, pod)
        return not jobs

    def _kind(self, pod: Pod) -> str | None:
        return pod["metadata"].get("labels", {}).get(self._known.label)

    async def _start(self, uid: str, pod: Pod) -> None:
        try:
            program = await self._programs.start(pod, _container(pod))
        except NotPython as error:
            await self._refuse(pod, str(error))
            return
        self._runs[uid] = _Run(program, _deadline(pod))

    async def _start_test(self, uid: str, pod: Pod) -> None:
        """Starts a test of the fabric between nodes, with the stand-ins for what is in its image."""
        container = _container(pod)
        image = nccl_image(container["image"])
        if image is None:
            await self._refuse(pod, f"the sandbox does not know what is in {container['image']}")
            return
        variables = await self._programs.variables(pod, container)
        spec, here = pod["spec"], Path.cwd()
        host = f"{spec.get('hostname', pod['metadata']['name'])}.{spec.get('subdomain', '')}"
        folder, behaviour = here / layout.TEST_PODS / uid, here / layout.FABRIC_BEHAVIOUR
        test = NcclPod(image, folder, here / layout.TEST_HOSTS, host, behaviour)
        test.prepare()
        annotation = {"metadata": {"annotations": {OUTCOME_ANNOTATION: "simulated"}}}
        await self._api.call("PATCH", pods.path_of(pod), annotation, MERGE_PATCH)
        line = container_environment.words(container, variables)
        command, environment = test.command(line), test.environment(variables)
        program = await self._programs.run(pod, container, command, environment, SIMULATED)
        self._runs[uid] = _Run(program, _deadline(pod), test)

    async def _refuse(self, pod: Pod, message: str) -> None:
        log = layout.log_file(log_of(pod, _container(pod)))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{message}\n", encoding="utf-8")
        await pods.set_finished(self._api, pod, NO_SUCH_PROGRAM, message)

    async def _look_after(self, uid: str, pod: Pod) -> None:
        run = self._runs[uid]
        exit_code = run.program.exit_code
        if exit_code is None:
            if run.deadline is not None and asyncio.get_running_loop().time() > run.deadline:
                run.program.process.kill()
            return
        message = run.program.message() if exit_code != 0 else ""
        await pods.set_finished(self._api, pod, exit_code, message)
        logger.info("%s ended with exit code %d", pods.name_of(pod), exit_code)
        await self._forget(uid)

    async def _forget(self, uid: str) -> None:
        run = self._runs.pop(uid)
        if run.test is not None:
            run.test.leave()
        await self._programs.end(run.program)


def _container(pod: Pod) -> dict[str, Any]:
    return pod["spec"]["containers"][0]


def _deadline(pod: Pod) -> float | None:
    """The time, on the loop's clock, at which the pod has taken too long."""
    seconds = pod["spec"].get("activeDeadlineSeconds")
    return None if seconds is None else asyncio.get_running_loop().time() + seconds
