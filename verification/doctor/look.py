"""What the checks of one run share: the stack, Google, and the answers so far."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from config.settings import Settings
from planning.plan import ClusterPlan, PlatformPlan
from verification.doctor.google import Api, Google, Missing
from verification.doctor.rows import Row
from verification.doctor.web import Web
from verification.results import CheckFailed, NotObservable


@dataclass(frozen=True)
class Question:
    """One row: its subject, its check, and a function that returns what was seen, or raises."""

    subject: str
    row: Row
    look: Callable[[], str]


class Once:
    """Asks each question once, even if several rows ask at the same time; a refusal is remembered too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._found: dict[str, Any] = {}

    def __call__(self, key: str, ask: Callable[[], Any]) -> Any:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._found:
                try:
                    self._found[key] = ask()
                except (CheckFailed, NotObservable) as error:
                    self._found[key] = error
            found = self._found[key]
        if isinstance(found, Exception):
            raise found
        return found


@dataclass(frozen=True)
class Look:
    stack: str
    settings: Settings
    plan: PlatformPlan
    google: Google
    web: Web
    number: str | None
    """The project's number; None: Google did not tell it."""
    reads_only: bool
    """Whether the person who runs this is not the one who will make the stack."""
    once: Once = field(default_factory=Once)

    @property
    def project(self) -> str:
        return self.google.project

    def region(self) -> dict[str, Any]:
        path = f"projects/{self.project}/regions/{self.plan.region}"
        return self.once(path, lambda: self.google.get(Api.COMPUTE, path))

    def standing_pools(self) -> dict[str, list[str]] | None:
        """The instance groups of each pool, if the cluster exists; None: it does not."""
        cluster = self.plan.cluster
        owner = self.project if isinstance(cluster, ClusterPlan) else cluster.project or self.project
        path = f"projects/{owner}/locations/{cluster.location}/clusters/{cluster.name}"
        try:
            found = self.once(path, lambda: self.google.get(Api.CONTAINER, path))
        except Missing:
            return None
        return {pool["name"]: pool.get("instanceGroupUrls", []) for pool in found.get("nodePools", [])}
