"""Stands in for the DRA drivers of simulated nodes: it publishes a node's devices as ResourceSlices.

A node's annotation says which drivers it can have. A driver that is installed by a DaemonSet publishes once its pod
runs.
"""

import http
import json
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.cluster.api import ApiError, AsyncApi

ANNOTATION = "sandbox/devices"

SLICES = "/apis/resource.k8s.io/v1/resourceslices"
OURS = "sandbox/devices"
DRANET = "dra.net"
"""The driver of GKE's managed DRANET."""


@dataclass(frozen=True)
class Daemon:
    """A DaemonSet whose pod must run on a node before a driver works there; `container` is one of the pod's
    containers."""

    daemon_set: str
    container: str | None = None


@dataclass(frozen=True)
class NodeDriver:
    """A driver that a node can have, and the devices that it publishes. `waits_for` is None where GKE itself runs the
    driver."""

    driver: str
    devices: list[dict[str, Any]]
    waits_for: Daemon | None = None


def annotation(drivers: list[NodeDriver]) -> str:
    """The text of a node's annotation that lists its drivers."""
    return json.dumps(
        [
            {
                "driver": each.driver,
                "devices": each.devices,
                "waitsFor": asdict(each.waits_for) if each.waits_for else None,
            }
            for each in drivers
        ],
        separators=(",", ":"),
    )


def device_classes() -> list[dict[str, Any]]:
    """The DeviceClass objects that GKE installs for its managed DRANET."""
    rdma = f"has(device.attributes['{DRANET}'].rdma) && device.attributes['{DRANET}'].rdma == true"
    selectors = {"mrdma.google.com": rdma, "netdev.google.com": f"!({rdma})"}
    return [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": name},
            "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{DRANET}' && {selector}"}}]},
        }
        for name, selector in selectors.items()
    ]


class DeviceController:
    """Keeps one ResourceSlice for each node and driver that works there."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def reconcile(self) -> None:
        nodes = {
            node["metadata"]["name"]: node
            for node in (await self._api.call("GET", "/api/v1/nodes"))["items"]
            if ANNOTATION in node["metadata"].get("annotations", {})
        }
        there = {
            item["metadata"]["name"]: item
            for item in (await self._api.call("GET", f"{SLICES}?labelSelector={OURS}"))["items"]
        }
        if not nodes and not there:
            return
        running = await self._running_daemons()
        wanted = {slice_["metadata"]["name"]: slice_ for node in nodes.values() for slice_ in _slices(node, running)}
        for name, slice_ in there.items():
            if name not in wanted or _essence(slice_) != _essence(wanted[name]):
                await self._delete(name)
        for name, slice_ in wanted.items():
            if name not in there or _essence(there[name]) != _essence(slice_):
                await self._api.call("POST", SLICES, slice_)

    async def _running_daemons(self) -> set[tuple[str, str, str | None]]:
        """(node, DaemonSet, container) for each Ready pod of a DaemonSet; a container of None stands for any of
        them."""
        pods = (await self._api.call("GET", "/api/v1/pods"))["items"]
        return {
            (pod["spec"]["nodeName"], owner["name"], container)
            for pod in pods
            if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"] and _ready(pod)
            for owner in pod["metadata"].get("ownerReferences", [])
            if owner["kind"] == "DaemonSet"
            for container in (None, *(each["name"] for each in pod["spec"]["containers"]))
        }

    async def _delete(self, name: str) -> None:
        try:
            await self._api.call("DELETE", f"{SLICES}/{name}")
        except ApiError as error:
            # The garbage collector removes the slice together with its node.
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise


def _slices(node: dict[str, Any], running: set[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    metadata = node["metadata"]
    name: str = metadata["name"]
    return [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "metadata": {
                "name": f"{name}-{each['driver']}",
                "labels": {OURS: "true"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": metadata["uid"]}],
            },
            "spec": {
                "driver": each["driver"],
                "pool": {"name": name, "generation": 1, "resourceSliceCount": 1},
                "nodeName": name,
                "devices": each["devices"],
            },
        }
        for each in json.loads(metadata["annotations"][ANNOTATION])
        if each["waitsFor"] is None or (name, each["waitsFor"]["daemon_set"], each["waitsFor"]["container"]) in running
    ]


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _essence(slice_: dict[str, Any]) -> Any:
    """The parts of a slice that matter: only if one of them differs is the slice written again."""
    owner = slice_["metadata"]["ownerReferences"][0]["uid"]
    return owner, [(device["name"], sorted(device.get("attributes", {}))) for device in slice_["spec"]["devices"]]
