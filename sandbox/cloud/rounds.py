"""What the cloud does by itself while it is served: it looks at its clusters again and again, and acts."""

import contextlib
import threading
from abc import ABC, abstractmethod
from typing import Self

from sandbox.cloud.kinds import Refused
from sandbox.cloud.store import BrokenState
from sandbox.cluster import ClusterError
from sandbox.cluster.api import ApiError

_EVERY_SECONDS = 1.0


class Rounds(ABC):
    """A thread that looks once a second as long as its context lasts; a subclass says at what."""

    def __init__(self, name: str) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            # A control plane that starts or ends at this moment is found in the next round.
            with contextlib.suppress(ApiError, ClusterError, Refused, BrokenState, OSError):
                self._look_once()

    @abstractmethod
    def _look_once(self) -> None: ...
