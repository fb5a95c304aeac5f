"""Runs the init containers that are programs in Python, one after the other, before a pod's containers start."""

import time
from dataclasses import dataclass
from typing import Any

from sandbox.cluster import pods
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.pods import Pod
from sandbox.cluster.programs import NotPython, NotYet, Program, Programs
from sandbox.cluster.workloads import InitContainers
from sandbox.models.servers import SHUTDOWN_SPEED

FIRST_PAUSE, LONGEST_PAUSE = 10, 300
"""Seconds for which a kubelet waits before the second new start of a container; then twice as long, up to the other
(Kubernetes 1.36, pkg/kubelet). They pass ten times as fast here, as those of a shutdown do."""

Status = dict[str, Any]


@dataclass
class _Progress:
    """One pod's: the program that runs, how often in a row one has failed, and since when another may start."""

    program: Program | None = None
    failures: int = 0
    since: float = 0.0

    @property
    def pause(self) -> int:
        """Seconds, as a kubelet counts them. The first new start comes at once."""
        return min(FIRST_PAUSE * 2 ** (self.failures - 2), LONGEST_PAUSE) if self.failures > 1 else 0


class InitPods:
    """The pods whose init containers run."""

    def __init__(self, api: AsyncApi, known: InitContainers | None, programs: Programs) -> None:
        self._api = api
        self._known = known
        self._programs = programs
        self._all: dict[str, _Progress] = {}

    async def reconcile(self, found: list[Pod]) -> bool:
        """Looks at these pods once; returns whether none of them is at it."""
        at_it = {pod["metadata"]["uid"]: pod for pod in found if self._concerned(pod)}
        for uid in self._all.keys() - at_it.keys():
            await self._end(self._all.pop(uid))
        for uid, pod in at_it.items():
            await self._look(self._all.setdefault(uid, _Progress()), pod)
        return not at_it

    def _concerned(self, pod: Pod) -> bool:
        known = self._known
        containers: list[dict[str, Any]] = pod["spec"].get("initContainers", [])
        if known is None or pods.leaves(pod) or pods.ended(pod) or pods.is_initialized(pod):
            return False
        return any(known.holds(each) for each in containers)

    async def _look(self, progress: _Progress, pod: Pod) -> None:
        """Goes as far as can be gone at once, and writes it down."""
        before: list[Status] = pod["status"].get("initContainerStatuses", [])
        old = {each["name"]: each for each in before}
        statuses = [old.get(each["name"]) or _first(each) for each in pod["spec"]["initContainers"]]
        for index, container in enumerate(pod["spec"]["initContainers"]):
            if not statuses[index]["ready"]:
                statuses[index] = await self._advanced(progress, pod, container, statuses[index])
            if not statuses[index]["ready"]:
                break
        if statuses != before:
            lost = pod["spec"].get("restartPolicy") == "Never" and any(_failed(each) for each in statuses)
            await pods.set_initializing(self._api, pod, statuses, "Failed" if lost else "Pending")

    async def _advanced(self, progress: _Progress, pod: Pod, container: dict[str, Any], status: Status) -> Status:
        """The status of a container that is the next to be done."""
        if container.get("restartPolicy") == "Always":
            return {**status, "ready": True, "started": True, "state": {"running": {"startedAt": pods.now()}}}
        if self._known is None or not self._known.holds(container):
            return {**status, "ready": True, "state": _terminated(0, "", pods.now())}
        if progress.program is None:
            return await self._started(progress, pod, container, status)
        exit_code = progress.program.exit_code
        if exit_code is None:
            return status
        message = progress.program.message() if exit_code else ""
        await self._end(progress)
        progress.failures = progress.failures + 1 if exit_code else 0
        progress.since = time.monotonic() + progress.pause / SHUTDOWN_SPEED
        began = status["state"].get("running", {}).get("startedAt", pods.now())
        return {**status, "ready": exit_code == 0, "state": _terminated(exit_code, message, began)}

    async def _started(self, progress: _Progress, pod: Pod, container: dict[str, Any], status: Status) -> Status:
        ran = "waiting" not in status["state"]
        if time.monotonic() < progress.since:
            waits = f"back-off {progress.pause}s restarting failed container={container['name']} pod={_whose(pod)}"
            return {**_gone(status), "state": _waiting("CrashLoopBackOff", waits)}
        try:
            progress.program = await self._programs.start(pod, container)
        except NotYet as error:
            # A volume that is missing is told by an event alone.
            return {**status, "state": _waiting("CreateContainerConfigError", str(error))} if str(error) else status
        except NotPython as error:
            return {**status, "state": _waiting("CreateContainerError", str(error))}
        again = ran or bool(status.get("lastState"))
        return {
            **_gone(status),
            "restartCount": status["restartCount"] + again,
            "state": {"running": {"startedAt": pods.now()}},
        }

    async def _end(self, progress: _Progress) -> None:
        program, progress.program = progress.program, None
        if program is not None:
            await self._programs.end(program)


def _first(container: dict[str, Any]) -> Status:
    """What a kubelet says of a container that has not started yet."""
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": _waiting("PodInitializing", ""),
    }


def _gone(status: Status) -> Status:
    """The status with what has ended as the last state."""
    ended = status["state"] if "terminated" in status["state"] else status.get("lastState")
    return {**status, "lastState": ended} if ended else status


def _failed(status: Status) -> bool:
    return status["state"].get("terminated", {}).get("exitCode", 0) != 0


def _terminated(exit_code: int, message: str, started: str) -> dict[str, Any]:
    reason = "Error" if exit_code else "Completed"
    ended = {"exitCode": exit_code, "reason": reason, "message": message, "startedAt": started}
    return {"terminated": {**ended, "finishedAt": pods.now()}}


def _waiting(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def _whose(pod: Pod) -> str:
    metadata = pod["metadata"]
    return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
