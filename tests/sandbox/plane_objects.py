"""Nodes, pods and questions for a control plane of a test's own."""

import contextlib
import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

from sandbox.cluster import ClusterFeatures, ControlPlane
from sandbox.profile import read_profile
from sandbox.tools import cluster_tools
from tests.sandbox.conftest import CHECKOUT
from tests.sandbox.waiting import wait_for

FEATURES = ClusterFeatures(multi_networking=True, gateway_api=True)
PLAIN = ClusterFeatures(multi_networking=False, gateway_api=False)
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def node(name: str, labels: dict[str, str], taints: list[dict[str, str]], **extra: str) -> dict[str, Any]:
    resources = {"cpu": "8", "memory": "64Gi", "ephemeral-storage": "100Gi", "pods": "110", **extra}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints} if taints else {},
        "status": {"capacity": resources, "allocatable": resources},
    }


SYSTEM_NODE = node("system-1", {"pool": "system"}, [])
GPU_NODE = node("gpu-1", {"pool": "gpu"}, [GPU_TAINT], **{"nvidia.com/gpu": "8"})


def pod(name: str, gpus: int = 0, **spec: Any) -> dict[str, Any]:
    resources = {"limits": {"nvidia.com/gpu": gpus}} if gpus else {}
    container = {"name": "main", "image": "example.org/image", "resources": resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], **spec},
    }


def apply(plane: ControlPlane, *objects: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(items))


def get(plane: ControlPlane, *what: str) -> Any:
    return json.loads(plane.kubectl("get", *what, "--output=json"))


@contextlib.contextmanager
def two_nodes(clusters: Path) -> Generator[ControlPlane]:
    """A control plane that runs this checkout's workloads, with node-1, node-2 and a Secret `token`."""
    plane = ControlPlane(clusters / "one", cluster_tools(print), read_profile(CHECKOUT).workloads)
    plane.start(PLAIN)
    plane.apply_nodes([node("node-1", {}, []), node("node-2", {}, [])])
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"token": "hf_known"}}
    apply(plane, secret)
    yield plane
    plane.destroy()


def wait_until_ready(plane: ControlPlane, name: str) -> None:
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")


def why_pending(plane: ControlPlane, name: str) -> str:
    """The scheduler's reason, once it has one."""

    def reasons() -> list[str]:
        conditions = get(plane, "pod", name).get("status", {}).get("conditions", [])
        return [each["message"] for each in conditions if each.get("reason") == "Unschedulable"]

    wait_for(f"the scheduler has looked at {name}", lambda: bool(reasons()))
    return reasons()[0]


def processes_with(directory: Path) -> list[str]:
    """The command lines of processes that name the folder or run in it."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(directory) in command or (entry / "cwd").readlink().is_relative_to(directory):
                    found.append(command)
    return found
