"""What happens to a node: its kubelet falls silent, or Google takes a Spot machine back."""

import json
import time
from typing import Any

from sandbox.cluster.plane import ControlPlane
from sandbox.cluster.pods import now
from sandbox.cluster.stages import SILENT_ANNOTATION
from sandbox.models.behaviour import UnknownBehaviour
from sandbox.models.servers import SHUTDOWN_SPEED

FORMS = "not-ready or preempted"
_GRACE_SECONDS = 25
"""For a pod after Google's notice: the kubelet leaves its pods 25 of the 30 seconds, and the system's the other five
(https://cloud.google.com/kubernetes-engine/docs/how-to/preemptible-vms, read on 2026-11-29)."""


def happen_to(plane: ControlPlane, node: str, how: str) -> None:
    """Does to a node what is asked for; nothing: its kubelet works again. Raises UnknownBehaviour, and ClusterError if
    the cluster has no such node."""
    match how.strip():
        case "":
            plane.kubectl("annotate", "node", node, f"{SILENT_ANNOTATION}-")
        case "not-ready":
            _fall_silent(plane, node)
        case "preempted":
            _preempt(plane, node)
        case _:
            raise UnknownBehaviour(f"{how!r} is nothing that happens to a node; write {FORMS}, or nothing")


def _fall_silent(plane: ControlPlane, node: str) -> None:
    """As the node's controller sees it some 40 s after the last word of a kubelet."""
    plane.kubectl("annotate", "node", node, "--overwrite", f"{SILENT_ANNOTATION}=true")
    silent = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
        "lastTransitionTime": now(),
    }
    patch = json.dumps({"status": {"conditions": [silent]}})
    plane.kubectl("patch", "node", node, "--subresource=status", "--type=strategic", f"--patch={patch}")


def _preempt(plane: ControlPlane, node: str) -> None:
    """Ends the node's pods and the node. Its group makes another machine of the same name.

    The pods are deleted; a kubelet would leave them there as Failed, and their controllers replace them all the same.
    """
    made: dict[str, Any] = json.loads(plane.kubectl("get", "node", node, "--output=json"))
    plane.kubectl("cordon", node)
    on_it = ("pods", "--all-namespaces", f"--field-selector=spec.nodeName={node}")
    plane.kubectl("delete", *on_it, f"--grace-period={_GRACE_SECONDS}", "--wait=false")
    deadline = time.monotonic() + _GRACE_SECONDS / SHUTDOWN_SPEED
    while plane.kubectl("get", *on_it, "--output=name") and time.monotonic() < deadline:
        time.sleep(0.2)
    plane.delete_nodes(f"kubernetes.io/hostname={node}")
    plane.apply_nodes([_afresh(made)])


def _afresh(node: dict[str, Any]) -> dict[str, Any]:
    """The node as its machine registers again, with a kubelet that works."""
    annotations = {key: value for key, value in node["metadata"]["annotations"].items() if key != SILENT_ANNOTATION}
    metadata = {"name": node["metadata"]["name"], "labels": node["metadata"]["labels"], "annotations": annotations}
    spec = {key: value for key, value in node["spec"].items() if key != "unschedulable"}
    status = {key: node["status"][key] for key in ("capacity", "allocatable", "addresses", "nodeInfo")}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": status}
