"""An autoscaled pool gets a node when a pod needs one, and only where the pod could run there."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cloud.autoscaler import takes
from sandbox.cluster import ControlPlane
from sandbox.tools import cluster_tools
from tests.sandbox.cloud_client import Client, Resource, build, changed, h200_platform, tear_down
from tests.sandbox.cloud_rows_capacity import FLEX

GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists"}
NODE: dict[str, Any] = {
    "metadata": {"labels": {"pool": "h200", "arch": "amd64"}},
    "spec": {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]},
    "status": {"allocatable": {"nvidia.com/gpu": "8"}},
}


def pod(gpus: int, **spec: Any) -> dict[str, Any]:
    resources = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "server"},
        "spec": {
            "containers": [{"name": "main", "image": "example.org/image", "resources": resources}],
            "tolerations": [GPU_TOLERATION],
            **spec,
        },
    }


def affinity(operator: str, key: str, *values: str) -> dict[str, Any]:
    expression = {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
    term = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}


@pytest.mark.parametrize(
    ("candidate", "fits"),
    [
        (pod(8), True),
        (pod(9), False),
        (pod(8, tolerations=[]), False),
        (pod(8, tolerations=[{"key": "nvidia.com/gpu", "value": "absent"}]), False),
        (pod(8, tolerations=[{"operator": "Exists"}]), True),
        (pod(8, nodeSelector={"pool": "h200"}), True),
        (pod(8, nodeSelector={"pool": "b200"}), False),
        (pod(8, affinity=affinity("In", "arch", "amd64")), True),
        (pod(8, affinity=affinity("NotIn", "arch", "amd64")), False),
        (pod(8, affinity=affinity("Exists", "rack")), False),
        (pod(8, affinity=affinity("DoesNotExist", "rack")), True),
    ],
)
def test_a_node_takes_what_the_scheduler_would_let_on_it(candidate: dict[str, Any], fits: bool) -> None:
    assert takes(NODE, candidate) is fits


def test_a_flex_start_pool_gets_a_node_when_a_pod_asks_for_one_and_no_more_than_that(tmp_path: Path) -> None:
    state, clusters = tmp_path / "cloud.json", tmp_path / "clusters"
    plane = ControlPlane(clusters / "h200-cluster")
    platform = h200_platform()
    platform["h200"] = Resource(platform["h200"].token, changed(platform["h200"].inputs, FLEX))
    try:
        with serve_cloud(state, clusters, cluster_tools(print)) as port, Client(port) as client:
            built = build(client, platform)
            assert nodes(plane) == []
            asking = pod(8, nodeSelector={"cloud.google.com/gke-nodepool": "h200"})
            plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(asking))
            plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/server")
            time.sleep(5)
            assert len(nodes(plane)) == 1
            again = client.diff(platform["h200"].token, "h200", built["h200"], platform["h200"].inputs)
            assert not again.detailedDiff
            tear_down(client, platform, built)
        assert json.loads(state.read_text())["resources"] == {}
    finally:
        plane.destroy()


def nodes(plane: ControlPlane) -> list[str]:
    return plane.kubectl("get", "nodes", "-l", "cloud.google.com/gke-nodepool=h200", "--output=name").split()
