"""Faults on demand: a scenario says what goes wrong at Google with the n-th request of a kind, and how."""

import threading
from enum import StrEnum

from pydantic import Field

from sandbox.cloud.kinds import Refused, Request, Stage
from sandbox.rows import Row


class Outcome(StrEnum):
    FAIL = "fail"
    STOCK_OUT = "stockOut"
    QUOTA = "quota"
    DENIED = "denied"
    """Who asks has not the permission."""
    EXPIRED = "expired"
    """The token of who asks has expired since the command began."""
    DELAY = "delay"
    HANG = "hang"
    """Nothing is done, and no answer comes until the client gives up."""
    LOST_RESPONSE = "lostResponse"
    """The request is carried out, but the client never learns of it."""
    SILENT = "silent"
    """The request is carried out, and no answer comes until the client gives up, as when it is killed meanwhile."""


_DONE = (Outcome.LOST_RESPONSE, Outcome.SILENT)


class Fault(Row):
    """A fault of requests of one stage for one type, such as NodePool; `name` restricts it to the resource of that
    name."""

    stage: Stage
    type: str
    name: str | None = None
    outcome: Outcome
    nth: int = Field(default=1, ge=1, description="the first request that it concerns")
    times: int | None = Field(default=1, ge=1, description="how many in a row; null: from then on always")
    seconds: float = Field(default=1.0, ge=0, description="of a delay")
    message: str | None = None

    def concerns(self, request: Request, stage: Stage) -> bool:
        return (
            stage is self.stage
            and self.type in (request.kind.label, request.kind.token)
            and self.name in (None, request.name)
        )


class Faults:
    """Counts requests while the cloud is served, and causes the faults that are due."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._faults = faults
        self._seen = [0] * len(faults)
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    def due(self, request: Request, stage: Stage) -> Fault | None:
        """The first fault that is due for this request; None if none is."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.concerns(request, stage):
                    self._seen[index] += 1
                    number = self._seen[index] - fault.nth
                    if number >= 0 and (fault.times is None or number < fault.times):
                        return fault
        return None

    def before(self, fault: Fault | None, request: Request) -> None:
        """Causes what a fault does before the request is carried out. Raises Refused if it is not to be carried out."""
        if fault is None or fault.outcome in _DONE:
            return
        if fault.outcome is Outcome.DELAY:
            self._given_up.wait(fault.seconds)
            return
        if fault.outcome is Outcome.HANG:
            self._given_up.wait()
        raise Refused(fault.message or _message(fault.outcome, request))

    def after(self, fault: Fault | None, request: Request) -> None:
        """Causes what a fault does after the request. Raises Refused if the answer is to be lost."""
        if fault is not None and fault.outcome in _DONE:
            if fault.outcome is Outcome.SILENT:
                self._given_up.wait()
            raise Refused(fault.message or _message(fault.outcome, request))

    def give_up(self) -> None:
        """Ends all waiting, since the client waits no longer."""
        self._given_up.set()


def _message(outcome: Outcome, request: Request) -> str:
    zones = request.inputs.texts("nodeLocations")
    match outcome:
        case Outcome.STOCK_OUT:
            zone = f"projects/{request.project}/zones/{zones[0] if zones else request.defaults.zone or '-'}"
            return (
                "Google Compute Engine: ZONE_RESOURCE_POOL_EXHAUSTED: "
                f"The zone '{zone}' does not have enough resources available to fulfill the request. "
                "Try a different zone, or try again later."
            )
        case Outcome.QUOTA:
            return "Google Compute Engine: QUOTA_EXCEEDED: The project's limit for this region is reached."
        case Outcome.DENIED:
            return "googleapi: Error 403: The caller does not have permission, forbidden"
        case Outcome.EXPIRED:
            return (
                "googleapi: Error 401: Request had invalid authentication credentials. Expected OAuth 2 access token, "
                "login cookie or other valid authentication credential., authError"
            )
        case Outcome.HANG | Outcome.SILENT:
            return "context canceled"
        case Outcome.LOST_RESPONSE:
            return "Error waiting for the operation: read: connection reset by peer"
        case _:
            return "googleapi: Error 503: The service is currently unavailable., backendError"
