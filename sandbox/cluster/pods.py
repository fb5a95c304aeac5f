"""Reads pods and writes their status for the supervisor: the part of a kubelet's work that kwok does not do."""

import datetime
import http
from collections.abc import Awaitable, Iterable
from typing import Any

from sandbox.cluster.api import ApiError, AsyncApi

STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
ON_A_NODE = "/api/v1/pods?fieldSelector=spec.nodeName!%3D"

Pod = dict[str, Any]


def name_of(pod: Pod) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def path_of(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def runs(pod: Pod) -> bool:
    """Whether its containers run and it is not being deleted."""
    return pod["status"].get("phase") == "Running" and not leaves(pod)


def leaves(pod: Pod) -> bool:
    """Whether it is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def is_initialized(pod: Pod) -> bool:
    """Whether its init containers have done their work."""
    return _holds(pod, "Initialized")


def ended(pod: Pod) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Pod) -> bool:
    return _holds(pod, "Ready")


def command_line(container: dict[str, Any]) -> list[str]:
    return [*container.get("command", []), *container.get("args", [])]


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix_seconds(timestamp: str) -> float:
    return datetime.datetime.fromisoformat(timestamp).timestamp()


def conditions(kinds: Iterable[str], holds: bool, reason: str = "") -> list[dict[str, str]]:
    status = "True" if holds else "False"
    return [{"type": kind, "status": status, "reason": reason, "lastTransitionTime": now()} for kind in kinds]


async def set_ready(api: AsyncApi, pod: Pod, ready: bool) -> None:
    """Writes the result of a readiness probe into the pod's status, as a kubelet does."""
    containers = [{**each, "ready": ready, "started": ready or each.get("started")} for each in _containers(pod)]
    reason = "" if ready else "ContainersNotReady"
    status = {
        "conditions": conditions(("Ready", "ContainersReady"), ready, reason),
        "containerStatuses": containers,
    }
    await api.call("PATCH", f"{path_of(pod)}/status", {"status": status}, STRATEGIC_MERGE_PATCH)


async def set_restarted(api: AsyncApi, pod: Pod) -> None:
    """Writes that a container was killed for its liveness probe and started again, as a kubelet does."""
    containers = [
        {
            **each,
            "ready": False,
            "started": False,
            "restartCount": each["restartCount"] + 1,
            "lastState": {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": now()}},
            "state": {"running": {"startedAt": now()}},
        }
        for each in _containers(pod)
    ]
    status = {
        "conditions": conditions(("Ready", "ContainersReady"), False, "ContainersNotReady"),
        "containerStatuses": containers,
    }
    await api.call("PATCH", f"{path_of(pod)}/status", {"status": status}, STRATEGIC_MERGE_PATCH)


async def set_crashed(api: AsyncApi, pod: Pod, exit_code: int, message: str) -> None:
    """Writes that a container died at its start and is started again later and later, as a kubelet does."""
    ended = {"exitCode": exit_code, "reason": "Error", "message": message, "finishedAt": now()}
    containers = [
        {
            **each,
            "ready": False,
            "started": False,
            "restartCount": each["restartCount"] + 1,
            "lastState": {"terminated": ended},
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        }
        for each in _containers(pod)
    ]
    status = {
        "conditions": conditions(("Ready", "ContainersReady"), False, "ContainersNotReady"),
        "containerStatuses": containers,
    }
    await _unless_gone(api.call("PATCH", f"{path_of(pod)}/status", {"status": status}, STRATEGIC_MERGE_PATCH))


async def set_finished(api: AsyncApi, pod: Pod, exit_code: int, message: str) -> None:
    """Writes that a pod's containers have ended and are not started again, as a kubelet does."""
    succeeded = exit_code == 0
    terminated = {
        "exitCode": exit_code,
        "reason": "Completed" if succeeded else "Error",
        "message": message,
        "finishedAt": now(),
    }
    containers = [
        {
            **each,
            "ready": False,
            "started": False,
            "state": {"terminated": {**terminated, "startedAt": each["state"]["running"]["startedAt"]}},
        }
        for each in _containers(pod)
    ]
    reason = "PodCompleted" if succeeded else "PodFailed"
    status = {
        "phase": "Succeeded" if succeeded else "Failed",
        "conditions": conditions(("Ready", "ContainersReady"), False, reason),
        "containerStatuses": containers,
    }
    await _unless_gone(api.call("PATCH", f"{path_of(pod)}/status", {"status": status}, STRATEGIC_MERGE_PATCH))


async def set_initializing(api: AsyncApi, pod: Pod, statuses: list[dict[str, Any]], phase: str = "Pending") -> None:
    """Writes how far a pod's init containers are, as a kubelet does; once all are done, its containers may start."""
    done = all(each["ready"] for each in statuses)
    waiting = {"waiting": {"reason": "PodInitializing"}}
    fresh = {"imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    containers = [{"name": each["name"], "image": each["image"], **fresh} for each in pod["spec"]["containers"]]
    status = {
        "phase": phase,
        "conditions": [
            *conditions(["Initialized"], done, "" if done else "ContainersNotInitialized"),
            *conditions(["Ready", "ContainersReady"], False, "ContainersNotReady"),
        ],
        "initContainerStatuses": statuses,
        "containerStatuses": containers,
    }
    await _unless_gone(api.call("PATCH", f"{path_of(pod)}/status", {"status": status}, STRATEGIC_MERGE_PATCH))


async def remove(api: AsyncApi, pod: Pod) -> None:
    """Removes a pod that is being deleted, once its containers have ended, as a kubelet does."""
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
    await _unless_gone(api.call("DELETE", path_of(pod), options))


async def _unless_gone(call: Awaitable[Any]) -> None:
    """Ignores that the pod is gone already, which happens while pods are deleted."""
    try:
        await call
    except ApiError as error:
        if error.status not in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.CONFLICT):
            raise


def _containers(pod: Pod) -> list[dict[str, Any]]:
    return pod["status"].get("containerStatuses", [])


def _holds(pod: Pod, kind: str) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)
