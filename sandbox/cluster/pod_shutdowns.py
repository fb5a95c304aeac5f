"""How a model server's pod goes, as a kubelet has it: preStop, SIGTERM, what the server still does, and the kill."""

import time
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

from sandbox.cluster.pods import Pod
from sandbox.models.servers import SHUTDOWN_SPEED


class Stage(Enum):
    PRE_STOP = auto()
    """It serves as before, and no Service leads to it any more."""
    ENDING = auto()
    """It has got SIGTERM."""
    GONE = auto()


class PodShutdowns:
    """Since when each pod leaves, on the monotonic clock: its own timestamp knows whole seconds alone."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def stage(self, pod: Pod, container: dict[str, Any], *, listens: bool) -> Stage:
        """`listens`: whether its server still does; one that has drained does not."""
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
