"""The stand-in's multi-network controller judges parameter sets as Google's controller does."""

import asyncio
from typing import Any, cast

import pytest

from sandbox.cluster.api import AsyncApi
from sandbox.cluster.networks import GROUP, NetworkController


class Objects:
    """An API server that holds these objects, and keeps what is written into their status."""

    def __init__(self, *parameter_sets: dict[str, Any]) -> None:
        names = [each["metadata"]["name"] for each in parameter_sets]
        networks = [{"metadata": {"name": name}, "spec": {"parametersRef": {"name": name}}} for name in names]
        self._objects = {f"{GROUP}/gkenetworkparamsets": parameter_sets, f"{GROUP}/networks": networks}
        self.ready: dict[str, tuple[str, str]] = {}

    async def find(self, path: str) -> Any:
        return {"items": self._objects[path]}

    async def call(self, method: str, path: str, body: Any, content_type: str) -> None:
        assert method == "PATCH"
        condition = body["status"]["conditions"][0]
        self.ready[path.removeprefix(f"{GROUP}/").removesuffix("/status")] = condition["status"], condition["reason"]


def parameter_set(name: str, made: str, subnetwork: str = "rdma-sub-0") -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": made}, "spec": {"vpcSubnet": subnetwork}}


def judged(*parameter_sets: dict[str, Any]) -> dict[str, tuple[str, str]]:
    objects = Objects(*parameter_sets)
    asyncio.run(NetworkController(cast(AsyncApi, objects)).reconcile())
    return objects.ready


@pytest.mark.parametrize("newer_first", [False, True])
def test_the_older_set_keeps_its_subnetwork_whatever_the_names_are(newer_first: bool) -> None:
    older, newer = parameter_set("rdma-0", "2026-11-28T10:00:00Z"), parameter_set("other", "2026-11-28T10:00:01Z")
    assert judged(*([newer, older] if newer_first else [older, newer])) == {
        "gkenetworkparamsets/rdma-0": ("True", "GNPReady"),
        "gkenetworkparamsets/other": ("False", "DeviceModeSubnetAlreadyInUse"),
        "networks/rdma-0": ("True", "NetworkReady"),
    }


def test_of_two_sets_of_the_same_second_both_are_ready_as_with_google() -> None:
    second = "2026-11-28T10:00:00Z"
    ready = judged(parameter_set("rdma-0", second), parameter_set("other", second))
    assert {status for status, _ in ready.values()} == {"True"}
    assert len(ready) == 4
