"""Stands in for GKE's multi-network controller: it sets the status of Network and GKENetworkParamSet objects.

Source: pkg/controller/gkenetworkparamset of kubernetes/cloud-provider-gcp, read on 2026-11-28.
"""

import datetime
from typing import Any

from sandbox.cluster.api import MERGE_PATCH, AsyncApi

GROUP = "/apis/networking.gke.io/v1"


class NetworkController:
    """Makes a parameter set ready unless its subnetwork serves an older one, and a Network once its parameter set is
    ready.

    Ages are compared in whole seconds, as Google's controller does: of two sets that were made in the same second both
    are ready.
    """

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def reconcile(self) -> None:
        parameter_sets = await self._list("gkenetworkparamsets")
        networks = await self._list("networks") if parameter_sets else []
        network_of = {_parameter_set(network): _name(network) for network in networks}
        oldest: dict[str | None, str] = {}
        for parameter_set in parameter_sets:
            subnetwork, made = _subnetwork(parameter_set), _made(parameter_set)
            oldest[subnetwork] = min(oldest.get(subnetwork, made), made)
        ready: set[str | None] = set()
        for parameter_set in parameter_sets:
            name = _name(parameter_set)
            in_use = _made(parameter_set) > oldest[_subnetwork(parameter_set)]
            if not in_use:
                ready.add(name)
            status = _status("False", "DeviceModeSubnetAlreadyInUse") if in_use else _status("True", "GNPReady")
            if name in network_of:
                status["networkName"] = network_of[name]
            await self._update("gkenetworkparamsets", parameter_set, status)
        for network in networks:
            if _parameter_set(network) in ready:
                await self._update("networks", network, _status("True", "NetworkReady", also="ParamsReady"))

    async def _list(self, plural: str) -> list[dict[str, Any]]:
        """All objects of a kind; none in a cluster without multi-networking, where the kind does not exist."""
        found = await self._api.find(f"{GROUP}/{plural}")
        return found["items"] if found else []

    async def _update(self, plural: str, resource: dict[str, Any], status: dict[str, Any]) -> None:
        if _essence(resource.get("status", {})) != _essence(status):
            path = f"{GROUP}/{plural}/{_name(resource)}/status"
            await self._api.call("PATCH", path, {"status": status}, MERGE_PATCH)


def _name(resource: dict[str, Any]) -> str:
    return resource["metadata"]["name"]


def _made(resource: dict[str, Any]) -> str:
    """The second in which it was created."""
    return resource["metadata"]["creationTimestamp"]


def _subnetwork(parameter_set: dict[str, Any]) -> str | None:
    return parameter_set.get("spec", {}).get("vpcSubnet")


def _parameter_set(network: dict[str, Any]) -> str | None:
    return network.get("spec", {}).get("parametersRef", {}).get("name")


def _status(value: str, reason: str, also: str | None = None) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"status": value, "reason": reason, "message": "", "lastTransitionTime": now}
    return {"conditions": [{"type": kind, **condition} for kind in ("Ready", also) if kind]}


def _essence(status: dict[str, Any]) -> Any:
    """The status without its times: only if this differs is the status written again."""
    conditions = [(each["type"], each["status"], each["reason"]) for each in status.get("conditions", [])]
    return status.get("networkName"), sorted(conditions)
