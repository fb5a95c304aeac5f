"""How a model server's pod shuts down, as under a kubelet: preStop, SIGTERM, the end of running requests, and the
kill."""

import time
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

from sandbox.cluster.pods import Pod
from sandbox.models.servers import SHUTDOWN_SPEED


class Stage(Enum):
    PRE_STOP = auto()
    """The server serves as before, and no Service leads to it any more."""
    ENDING = auto()
    """The server has got SIGTERM."""
    GONE = auto()


class PodShutdowns:
    """Remembers since when each pod is being deleted, on the monotonic clock; the pod's own timestamp knows only whole
    seconds."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def stage(self, pod: Pod, container: dict[str, Any], *, listens: bool) -> Stage:
        """How far the shutdown of a pod has come. `listens`: whether its server still listens, which it does not once
        it is done."""
        now = time.monotonic()
        passed = (now - self._since.setdefault(pod["metadata"]["uid"], now)) * SHUTDOWN_SPEED
        pre_stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if passed >= pod["metadata"].get("deletionGracePeriodSeconds", 0):
            return Stage.GONE
        if passed < pre_stop:
            return Stage.PRE_STOP
        return Stage.ENDING if listens else Stage.GONE

    def forget_all_but(self, leaving: Iterable[Pod]) -> None:
        uids = {pod["metadata"]["uid"] for pod in leaving}
        self._since = {uid: since for uid, since in self._since.items() if uid in uids}
