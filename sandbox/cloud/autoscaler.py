"""Adds nodes to autoscaled pools for pods that find no node, as GKE's cluster autoscaler does.

It never removes one, and it works only while a Pulumi engine runs, which is when pods are made.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.cloud.control_planes import ControlPlanes
from sandbox.cloud.nodes import nodes_of_pool
from sandbox.cloud.resources.common import CLUSTER
from sandbox.cloud.resources.pool_size import bounds_per_zone, pools_of
from sandbox.cloud.rounds import Rounds
from sandbox.cloud.store import Record, State, Store
from sandbox.cloud.tables import Tables
from sandbox.cluster.api import Api

_PENDING = "/api/v1/pods?fieldSelector=status.phase%3DPending"


class Autoscaler(Rounds):
    """A thread that looks for pods without a node and adds one for them."""

    def __init__(self, planes: ControlPlanes, store: Store, tables: Tables) -> None:
        super().__init__("autoscaler")
        self._planes = planes
        self._store = store
        self._tables = tables

    def _look_once(self) -> None:
        state = self._store.read()
        for id_, _ in state.of(CLUSTER):
            plane = self._planes.plane(id_)
            scalable = [pool for pool, record in pools_of(state, id_) if _has_room(record)]
            if not scalable or not plane.running():
                continue
            with contextlib.closing(Api(plane.directory, int(plane.endpoint.rsplit(":", 1)[1]))) as api:
                pods = [pod for pod in api.call("GET", _PENDING)["items"] if _unschedulable(pod)]
            pool = _pool_for(pods, state, id_, scalable, self._tables)
            if pool:
                self._add_node(pool)

    def _add_node(self, pool: str) -> None:
        """Adds one node; the scheduler then shows whether that was enough."""
        with self._store.transaction() as state:
            record = state.resources.get(pool)
            if record and _has_room(record):
                state.resources[pool] = self._planes.applied(state, pool, _with_one_more(record))


def _has_room(record: Record) -> bool:
    properties = record.properties
    zones = len(properties.texts("nodeLocations"))
    return "autoscaling" in properties and (properties.number("nodeCount") or 0) < bounds_per_zone(properties, zones)[1]


def _with_one_more(record: Record) -> Record:
    count = record.properties.number("nodeCount") or 0
    return replace(record, outputs={**record.outputs, "nodeCount": count + 1})


def _unschedulable(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable" for each in conditions
    )


def _pool_for(pods: list[dict[str, Any]], state: State, cluster: str, pools: list[str], tables: Tables) -> str | None:
    """The first pool whose next node could run one of the pods."""
    for pool in pools:
        nodes = nodes_of_pool(pool, _with_one_more(state.resources[pool]), tables)
        if nodes and any(takes(nodes[-1], pod) for pod in pods):
            return pool
    return None


def takes(node: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether the pod could run on that node if it were empty; claims of devices are not looked at."""
    spec = pod["spec"]
    labels: dict[str, str] = node["metadata"]["labels"]
    return (
        spec.get("nodeSelector", {}).items() <= labels.items()
        and _affine(spec, labels)
        and all(_tolerated(taint, spec.get("tolerations", [])) for taint in node["spec"].get("taints", []))
        and _gpus(spec) <= int(node["status"]["allocatable"].get("nvidia.com/gpu", 0))
    )


def _affine(spec: dict[str, Any], labels: Mapping[str, str]) -> bool:
    node_affinity: dict[str, Any] = spec.get("affinity", {}).get("nodeAffinity", {})
    required: dict[str, Any] = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    terms: list[dict[str, Any]] = required.get("nodeSelectorTerms", [{}])
    return any(all(_matches(each, labels) for each in term.get("matchExpressions", [])) for term in terms)


def _matches(expression: dict[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


def _tolerated(taint: dict[str, str], tolerations: list[dict[str, Any]]) -> bool:
    return taint["effect"] == "PreferNoSchedule" or any(
        each.get("key") in (None, taint["key"])
        and each.get("effect") in (None, taint["effect"])
        and (each.get("operator") == "Exists" or each.get("value", "") == taint["value"])
        for each in tolerations
    )


def _gpus(spec: dict[str, Any]) -> int:
    return sum(
        int(container.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0))
        for container in spec["containers"]
    )
