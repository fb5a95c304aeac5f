"""Makes nodes offer their networks as extended resources, as GKE does once Network objects name them.

GKE's controller always runs; this one runs while a Pulumi engine does, which is when Network objects are made.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.cloud.control_planes import ControlPlanes
from sandbox.cloud.nodes import POOL_LABEL
from sandbox.cloud.references import last
from sandbox.cloud.resources.common import CLUSTER
from sandbox.cloud.resources.pool_networks import ADDITIONAL, uses_dranet
from sandbox.cloud.resources.pool_size import pools_of
from sandbox.cloud.rounds import Rounds
from sandbox.cloud.store import State
from sandbox.cluster.api import MERGE_PATCH, Api

PREFIX = "networking.gke.io.networks/"
_API = "/apis/networking.gke.io/v1"


class NodeNetworks(Rounds):
    """A thread that keeps the nodes of all multi-network clusters in step with their Network objects."""

    def __init__(self, planes: ControlPlanes, read: Callable[[], State]) -> None:
        super().__init__("node-networks")
        self._planes = planes
        self._read = read

    def _look_once(self) -> None:
        state = self._read()
        for id_, record in state.of(CLUSTER):
            plane = self._planes.plane(id_)
            if record.properties.flag("enableMultiNetworking") and plane.running():
                with contextlib.closing(Api(plane.directory, int(plane.endpoint.rsplit(":", 1)[1]))) as api:
                    advertise_networks(api, state, id_)


def advertise_networks(api: Api, state: State, cluster_id: str) -> None:
    """Makes each node offer the Networks of its pool's subnetworks, and no others."""
    networks = dict(_networks(api))
    pools = {last(id_): record.properties for id_, record in pools_of(state, cluster_id)}
    for node in api.call("GET", f"/api/v1/nodes?labelSelector={POOL_LABEL}")["items"]:
        pool = pools.get(node["metadata"]["labels"][POOL_LABEL])
        # A NIC belongs to one mechanism: what DRANET has, no Network object offers.
        attached = pool.items(ADDITIONAL) if pool and not uses_dranet(pool) else []
        subnetworks = {last(item.text("subnetwork") or "") for item in attached}
        wanted = {
            resource: "1"
            for name, subnetwork in networks.items()
            if subnetwork in subnetworks
            for resource in (f"{PREFIX}{name}", f"{PREFIX}{name}.IP")
        }
        offered = [name for name in node["status"].get("allocatable", {}) if name.startswith(PREFIX)]
        if set(offered) != set(wanted):
            resources = {**dict.fromkeys(offered), **wanted}
            status = {"status": {"capacity": resources, "allocatable": resources}}
            api.call("PATCH", f"/api/v1/nodes/{node['metadata']['name']}/status", status, MERGE_PATCH)


def _networks(api: Api) -> Iterator[tuple[str, str]]:
    """The names of all Device networks, each with the name of its subnetwork."""
    parameter_sets: dict[str, dict[str, Any]] = {
        item["metadata"]["name"]: item["spec"] for item in api.call("GET", f"{_API}/gkenetworkparamsets")["items"]
    }
    for item in api.call("GET", f"{_API}/networks")["items"]:
        reference = item["spec"].get("parametersRef", {}).get("name", "")
        if item["spec"].get("type") == "Device" and reference in parameter_sets:
            yield item["metadata"]["name"], last(parameter_sets[reference].get("vpcSubnet", ""))
