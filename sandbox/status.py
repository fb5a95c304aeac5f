"""What a control plane's nodes and pods do now, and what those that do not start have said last."""

import json
from collections.abc import Iterator
from typing import Any

from sandbox.cluster import ControlPlane, layout


def describe(plane: ControlPlane) -> Iterator[str]:
    yield f"cluster {plane.directory.name}: control plane at https://{plane.endpoint}"
    yield plane.kubectl("get", "nodes", "--output=wide")
    yield plane.kubectl("get", "pods", "--all-namespaces", "--output=wide")
    pods: list[dict[str, Any]] = json.loads(plane.kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
    yield from (trouble for pod in pods for trouble in _troubles(pod))
    asked = plane.directory / layout.HUB_REQUESTS
    if asked.exists():
        number = len(asked.read_text(encoding="utf-8").splitlines())
        yield f"Hugging Face's hub, as it is served here, has been asked {number} times"


def _troubles(pod: dict[str, Any]) -> Iterator[str]:
    """A line for each container that is not ready and has said why."""
    status, metadata = pod["status"], pod["metadata"]
    containers: list[dict[str, Any]] = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    for each in containers:
        ended: dict[str, str] = each["state"].get("terminated") or each.get("lastState", {}).get("terminated") or {}
        waiting: dict[str, str] = each["state"].get("waiting", {})
        lines = (ended.get("message") or waiting.get("message") or "").strip().splitlines()
        if lines and not each["ready"] and status.get("phase") != "Succeeded":
            yield f"{metadata['namespace']}/{metadata['name']}, container {each['name']}: {lines[-1]}"
