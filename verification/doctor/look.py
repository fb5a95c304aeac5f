"""What the checks of one run have in common: the stack, Google, and what was asked already."""

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
    """One row: of what, which, and what to call for it: it returns what was seen, or raises."""

    subject: str
    row: Row
    look: Callable[[], str]


class Once:
    """Asks each thing once, however many rows want it at the same time; a refusal is remembered too."""

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
    """Of the project; None: Google did not say."""
    reads_only: bool
    """Who runs this is not who will make the stack."""
    once: Once = field(default_factory=Once)

    @property
    def project(self) -> str:
        return self.google.project

    def region(self) -> dict[str, Any]:
        path = f"projects/{self.project}/regions/{self.plan.region}"
        return self.once(path, lambda: self.google.get(Api.COMPUTE, path))

    def standing_pools(self) -> dict[str, list[str]] | None:
        """The instance groups of each pool of the cluster, if that stands already; None: it does not."""
        cluster = self.plan.cluster
        owner = self.project if isinstance(cluster, ClusterPlan) else cluster.project or self.project
        path = f"projects/{owner}/locations/{cluster.location}/clusters/{cluster.name}"
        try:
            found = self.once(path, lambda: self.google.get(Api.CONTAINER, path))
        except Missing:
            return None
        return {pool["name"]: pool.get("instanceGroupUrls", []) for pool in found.get("nodePools", [])}
