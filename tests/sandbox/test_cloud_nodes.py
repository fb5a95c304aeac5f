"""Clusters and node pools of the cloud become control planes that run and nodes as GKE makes them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cloud.nodes import nodes_of_pool
from sandbox.cloud.store import Store
from sandbox.cloud.tables import Tables
from sandbox.cluster import ControlPlane
from sandbox.tools import cluster_tools
from tests.sandbox.cloud_client import REMOVED, ZONE, Client, Resource, build, changed, h200_platform, tear_down
from tests.sandbox.waiting import wait_for

PLATFORM = h200_platform()


def nodes(tmp_path: Path, pool: str = "h200", **changes: Any) -> list[dict[str, Any]]:
    """The nodes that a pool with these changes gets, on paper."""
    each = PLATFORM[pool]
    platform = {**PLATFORM, pool: Resource(each.token, changed(each.inputs, changes))}
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = build(client, platform)
    state = Store(tmp_path / "cloud.json").read()
    return nodes_of_pool(built[pool].id, state.resources[built[pool].id], Tables())


def test_an_h200_node_is_as_gke_makes_it(tmp_path: Path) -> None:
    first, second = nodes(tmp_path)
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["metadata"]["name"].startswith("gke-h200-cluster-h200-")
    expected = {
        "cloud.google.com/gke-nodepool": "h200",
        "cloud.google.com/gke-accelerator": "nvidia-h200-141gb",
        "cloud.google.com/gke-accelerator-count": "8",
        "cloud.google.com/gke-gpu": "true",
        "cloud.google.com/gke-gpu-driver-version": "latest",
        "cloud.google.com/gke-spot": "true",
        "cloud.google.com/gke-provisioning": "spot",
        "cloud.google.com/gke-boot-disk": "hyperdisk-balanced",
        "cloud.google.com/gke-ephemeral-storage-local-ssd": "true",
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/machine-family": "a3",
        "iam.gke.io/gke-metadata-server-enabled": "true",
        "inference-platform/pool": "h200",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "a3-ultragpu-8g",
        "topology.kubernetes.io/region": "us-central1",
        "topology.kubernetes.io/zone": ZONE,
    }
    assert expected.items() <= first["metadata"]["labels"].items()
    block = "cloud.google.com/gce-topology-block"
    assert first["metadata"]["labels"][block] == second["metadata"]["labels"][block]
    assert first["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    gib = 1024**2
    capacity, allocatable = first["status"]["capacity"], first["status"]["allocatable"]
    assert {**capacity, "memory": "", "ephemeral-storage": ""} == {
        "cpu": "224",
        "memory": "",
        "ephemeral-storage": "",
        "pods": "110",
        "nvidia.com/gpu": "8",
    }
    assert allocatable["cpu"] == "223370m"
    assert int(capacity["memory"].removesuffix("Ki")) / gib == pytest.approx(2905.6, abs=0.1)
    assert int(allocatable["memory"].removesuffix("Ki")) / gib == pytest.approx(2839.8, abs=0.1)
    assert int(capacity["ephemeral-storage"].removesuffix("Ki")) / gib == pytest.approx(11925, abs=1)
    assert int(allocatable["ephemeral-storage"]) / 1024**3 == pytest.approx(10632, abs=1)


def test_a_system_node_has_no_gpu_and_no_taint(tmp_path: Path) -> None:
    (node,) = nodes(tmp_path, "system")
    assert "taints" not in node["spec"]
    assert "nvidia.com/gpu" not in node["status"]["capacity"]
    assert not [label for label in node["metadata"]["labels"] if "gpu" in label or "accelerator" in label]
    assert node["status"]["allocatable"]["cpu"] == "7910m"
    assert int(node["status"]["allocatable"]["ephemeral-storage"]) / 1024**3 == pytest.approx(43.8, abs=0.1)


def test_a_reserved_node_tells_its_reservation(tmp_path: Path) -> None:
    affinity = {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": ["projects/sandbox-project/reservations/h200/reservationBlocks/block-1"],
    }
    changes = {"nodeConfig.spot": False, "nodeConfig.reservationAffinity": affinity, "nodeCount": 1}
    (node,) = nodes(tmp_path, **changes)
    assert node["metadata"]["labels"]["cloud.google.com/reservation-name"] == "h200"
    assert node["metadata"]["labels"]["cloud.google.com/gke-provisioning"] == "standard"


def test_a_pool_without_zones_of_its_own_has_nodes_in_all_of_its_clusters(tmp_path: Path) -> None:
    made = nodes(tmp_path, "system", nodeLocations=REMOVED)
    assert [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in made] == [
        "us-central1-a",
        "us-central1-b",
        "us-central1-c",
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("clusters")
    yield folder
    for plane in folder.glob("clusters/*/"):
        ControlPlane(plane).destroy()


def test_a_cluster_runs_until_it_is_deleted_and_wakes_after_a_restart(folder: Path) -> None:
    tools = cluster_tools(print)
    state, clusters = folder / "cloud.json", folder / "clusters"
    plane = ControlPlane(clusters / "h200-cluster")
    with serve_cloud(state, clusters, tools) as port, Client(port) as client:
        built = build(client, PLATFORM)
        dns = built["cluster"].outputs["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
        assert dns["endpoint"] == plane.endpoint
        assert (clusters / "ca.pem").read_text() == plane.ca_file.read_text()

        assert len(pool_nodes(plane)) == 2
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(device_networks()))
        wanted = {f"networking.gke.io.networks/{name}" for name in ("gvnic-1", "rdma-0", "gvnic-1.IP", "rdma-0.IP")}
        wait_for(
            "the networks are offered",
            lambda: all(wanted <= set(node["status"]["allocatable"]) for node in pool_nodes(plane)),
            seconds=15,
        )
        system = json.loads(plane.kubectl("get", "nodes", "-l", "cloud.google.com/gke-nodepool=system", "-o", "json"))
        assert not wanted & set(system["items"][0]["status"]["allocatable"])

        smaller = changed(PLATFORM["h200"].inputs, {"nodeCount": 1, "nodeConfig.labels.tier": "gold"})
        client.update(PLATFORM["h200"].token, "h200", built["h200"], smaller)
        (left,) = pool_nodes(plane)
        assert left["metadata"]["labels"]["tier"] == "gold"
        assert wanted <= set(left["status"]["allocatable"])
    plane.stop()
    with serve_cloud(state, clusters, tools) as port, Client(port) as client:
        assert plane.running()
        assert len(pool_nodes(plane)) == 1
        client.delete(PLATFORM["h200"].token, "h200", built["h200"])
        assert pool_nodes(plane) == []
        tear_down(client, PLATFORM, built)
    assert not plane.directory.exists()
    assert list(clusters.iterdir()) == []


def pool_nodes(plane: ControlPlane) -> list[dict[str, Any]]:
    found = plane.kubectl("get", "nodes", "-l", "cloud.google.com/gke-nodepool=h200", "-o", "json")
    return json.loads(found)["items"]


def device_networks() -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for name, subnetwork, mode in (("gvnic-1", "h200-gvnic", "NetDevice"), ("rdma-0", "h200-roce-0", "RDMA")):
        metadata = {"apiVersion": "networking.gke.io/v1", "metadata": {"name": name}}
        vpc = subnetwork.removesuffix("-0")
        spec = {"vpc": vpc, "vpcSubnet": subnetwork, "deviceMode": mode}
        items.append({**metadata, "kind": "GKENetworkParamSet", "spec": spec})
        reference = {"group": "networking.gke.io", "kind": "GKENetworkParamSet", "name": name}
        items.append({**metadata, "kind": "Network", "spec": {"type": "Device", "parametersRef": reference}})
    return {"apiVersion": "v1", "kind": "List", "items": items}
