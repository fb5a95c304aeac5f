"""Devices of simulated nodes are published as their drivers would, so that the real scheduler allocates claims."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cloud.nodes import nodes_of_pool
from sandbox.cloud.store import Store
from sandbox.cloud.tables import Tables
from sandbox.cluster import ClusterError, ClusterFeatures, ControlPlane
from sandbox.cluster.devices import ANNOTATION, Daemon, NodeDriver, annotation
from sandbox.tools import cluster_tools
from tests.sandbox.cloud_client import REMOVED, Client, Inputs, Resource, build, changed, h200_platform
from tests.sandbox.cloud_rows_capacity import DRANET, FLEX, reserved
from tests.sandbox.waiting import wait_for

PLATFORM = h200_platform()
POLICY = {
    "name": "h200-compact",
    "region": "us-central1",
    "workloadPolicy": {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "1x72"},
}
SUB_BLOCK = "gb300/reservationBlocks/block-1/reservationSubBlocks/sub-block-1"


def node(tmp_path: Path, changes: dict[str, Inputs], pool: str = "h200") -> dict[str, Any]:
    """The first node of the platform's pool after changes to its resources, on paper."""
    platform = {
        name: Resource(each.token, changed(each.inputs, changes.get(name, {}))) for name, each in PLATFORM.items()
    }
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = build(client, platform)
    state = Store(tmp_path / "cloud.json").read()
    record = state.resources[built[pool].id]
    return nodes_of_pool(built[pool].id, record, Tables())[0]


def drivers(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {
        each["driver"]: each["devices"] for each in json.loads(found["metadata"]["annotations"].get(ANNOTATION, "[]"))
    }


def bare_metal() -> dict[str, Inputs]:
    """Changes that make the pool one of GB300 machines."""
    return {
        "policy": {"groupPlacementPolicy": REMOVED, "workloadPolicy": POLICY["workloadPolicy"]},
        "cluster": {"enableShieldedNodes": False},
        "h200": {
            "networkConfig": {"acceleratorNetworkProfile": "auto"},
            "placementPolicy": {"type": "COMPACT", "policyName": "h200-compact"},
            "nodeConfig.machineType": "a4x-maxgpu-4g-metal",
            "nodeConfig.guestAccelerators": REMOVED,
            "nodeConfig.spot": REMOVED,
            "nodeConfig.reservationAffinity": reserved(SUB_BLOCK),
            "nodeConfig.labels": DRANET,
            "nodeConfig.linuxNodeConfig.hugepagesConfig": {"hugepageSize2m": 4096},
        },
    }


def test_a_gb300_node_is_as_gke_makes_it(tmp_path: Path) -> None:
    found = node(tmp_path, bare_metal())
    expected = {
        "kubernetes.io/arch": "arm64",
        "cloud.google.com/gke-accelerator": "nvidia-gb300",
        "cloud.google.com/reservation-name": "gb300",
        "cloud.google.com/reservation-blocks": "block-1",
        "cloud.google.com/reservation-subblocks": "sub-block-1",
        "gke.networks.io/accelerator-network-profile": "auto",
    }
    assert expected.items() <= found["metadata"]["labels"].items()
    assert {taint["key"]: taint["value"] for taint in found["spec"]["taints"]} == {
        "nvidia.com/gpu": "present",
        "kubernetes.io/arch": "arm64",
    }
    allocatable = found["status"]["allocatable"]
    assert allocatable["hugepages-2Mi"] == f"{8 * 1024**2}Ki"
    with_pages = int(allocatable["memory"].removesuffix("Ki"))
    assert with_pages + 8 * 1024**2 < 960 * 1024**2

    published = drivers(found)
    assert [device["name"] for device in published["dra.net"]] == [
        "eth1",
        *(f"gpu{gpu}rdma{port}" for gpu in range(4) for port in range(2)),
    ]
    assert [device["name"] for device in published["compute-domain.nvidia.com"]] == ["channel-0", "daemon-0"]
    gpu, nic = published["gpu.nvidia.com"][3], published["dra.net"][-1]
    root = "resource.kubernetes.io/pcieRoot"
    assert gpu["attributes"]["productName"] == {"string": "NVIDIA GB300"}
    assert gpu["attributes"][root] == nic["attributes"][root]


def test_dranet_has_the_nics_that_are_attached_and_no_others(tmp_path: Path) -> None:
    labelled: dict[str, Inputs] = {"h200": {"nodeConfig.labels": DRANET}}
    assert len(drivers(node(tmp_path / "all", labelled))["dra.net"]) == 9
    labelled["h200"]["networkConfig"] = REMOVED
    assert drivers(node(tmp_path / "none", labelled))["dra.net"] == []
    assert "dra.net" not in drivers(node(tmp_path / "unlabelled", {}))


def test_a_node_without_the_device_plugin_offers_no_gpu_to_count(tmp_path: Path) -> None:
    label = {"gke-no-default-nvidia-gpu-device-plugin": "true"}
    found = node(tmp_path, {"h200": {"nodeConfig.labels": label}})
    assert "nvidia.com/gpu" not in found["status"]["allocatable"]
    assert len(drivers(found)["gpu.nvidia.com"]) == 8


def test_what_a_pool_asks_for_shows_on_its_nodes(tmp_path: Path) -> None:
    image = "projects/sandbox-project/global/images/vllm-0-33"
    streaming = Resource("gcp:projects/service:Service", {"service": "containerfilesystem.googleapis.com"})
    pool = changed(
        PLATFORM["h200"].inputs,
        {
            "nodeConfig.gcfsConfig": {"enabled": True},
            "nodeConfig.secondaryBootDisks": [{"diskImage": image, "mode": "CONTAINER_IMAGE_CACHE"}],
            **FLEX,
        },
    )
    platform = {"api-streaming": streaming, **PLATFORM, "h200": Resource(PLATFORM["h200"].token, pool)}
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = build(client, platform)["h200"]
    assert built.outputs["nodeCount"] == 0
    taints = [taint["key"] for taint in built.outputs["nodeConfig"]["effectiveTaints"]]
    assert taints == ["nvidia.com/gpu"]
    state = Store(tmp_path / "cloud.json").read()
    record = state.resources[built.id]
    record.outputs["nodeCount"] = 1
    (made,) = nodes_of_pool(built.id, record, Tables())
    prefix = "cloud.google.com.node-restriction.kubernetes.io/gke-secondary-boot-disk-"
    expected = {
        f"{prefix}vllm-0-33": "CONTAINER_IMAGE_CACHE.sandbox-project",
        "cloud.google.com/gke-image-streaming": "true",
        "cloud.google.com/gke-flex-start": "true",
    }
    assert expected.items() <= made["metadata"]["labels"].items()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("devices") / "plane", cluster_tools(print))
    plane.start(ClusterFeatures(multi_networking=False, gateway_api=False, managed_dranet=True))
    yield plane
    plane.destroy()


def machine(name: str, *drivers: NodeDriver) -> dict[str, Any]:
    resources = {"cpu": "8", "memory": "64Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"name": name}, "annotations": {ANNOTATION: annotation(list(drivers))}},
        "status": {"capacity": resources, "allocatable": resources},
    }


def nics(count: int) -> list[dict[str, Any]]:
    return [{"name": f"gpu{index}rdma0", "attributes": {"rdma": {"bool": True}}} for index in range(count)]


def claim_template(name: str, device_class: str, count: int) -> dict[str, Any]:
    exactly = {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": count}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": [{"name": "devices", "exactly": exactly}]}}},
    }


def claimant(name: str, template: str) -> dict[str, Any]:
    container = {"name": "main", "image": "example.org/image", "resources": {"claims": [{"name": "devices"}]}}
    claims = [{"name": "devices", "resourceClaimTemplateName": template}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "resourceClaims": claims},
    }


def apply(plane: ControlPlane, *objects: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(items))


def published(plane: ControlPlane) -> set[tuple[str, str]]:
    found = json.loads(plane.kubectl("get", "resourceslices", "--output=json"))["items"]
    return {(each["spec"]["nodeName"], each["spec"]["driver"]) for each in found}


def test_the_scheduler_allocates_claims_and_refuses_what_is_taken(plane: ControlPlane) -> None:
    plane.apply_nodes([machine("gpu-1", NodeDriver("dra.net", nics(8)))])
    wait_for("the NICs are published", lambda: published(plane) == {("gpu-1", "dra.net")}, seconds=30)
    apply(plane, claim_template("all", "mrdma.google.com", 8), claimant("first", "all"))
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/first")
    (claim,) = json.loads(plane.kubectl("get", "resourceclaims", "--output=json"))["items"]
    assert len(claim["status"]["allocation"]["devices"]["results"]) == 8
    assert claim["status"]["reservedFor"][0]["name"] == "first"

    apply(plane, claimant("second", "all"))
    reason = "--for=jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable"
    plane.kubectl("wait", reason, "--timeout=30s", "pod/second")
    plane.kubectl("delete", "pod", "first", "--wait=true")
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/second")
    plane.kubectl("delete", "pod", "second")
    plane.delete_nodes("name=gpu-1")
    wait_for("nothing is published", lambda: published(plane) == set(), seconds=30)


def test_a_driver_publishes_nothing_before_its_daemon_runs(plane: ControlPlane) -> None:
    driver = NodeDriver("compute-domain.nvidia.com", nics(1), Daemon("kubelet-plugin", "compute-domains"))
    plane.apply_nodes([machine("gpu-2", driver)])
    labels = {"app": "kubelet-plugin"}

    def plugin(container: str) -> dict[str, Any]:
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": container, "image": "example.org/image"}]},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "kubelet-plugin"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }

    apply(plane, plugin("gpus"))
    plane.kubectl("rollout", "status", "daemonset/kubelet-plugin", "--timeout=60s")
    time.sleep(2)
    assert published(plane) == set()
    plane.kubectl("delete", "daemonset/kubelet-plugin")
    apply(plane, plugin("compute-domains"))
    wait_for(
        "the channels are published", lambda: published(plane) == {("gpu-2", "compute-domain.nvidia.com")}, seconds=30
    )
    plane.kubectl("delete", "daemonset/kubelet-plugin")
    wait_for("nothing is published", lambda: published(plane) == set(), seconds=30)
    plane.delete_nodes("name=gpu-2")


def test_critical_pods_need_a_quota_as_on_gke(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "driver")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "critical", "namespace": "driver"},
        "spec": {
            "priorityClassName": "system-node-critical",
            "containers": [{"name": "main", "image": "example.org/image"}],
        },
    }
    with pytest.raises(ClusterError, match="insufficient quota to match these scopes"):
        apply(plane, pod)
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "critical", "namespace": "driver"},
        "spec": {
            "hard": {"pods": "1"},
            "scopeSelector": {
                "matchExpressions": [
                    {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
                ]
            },
        },
    }
    apply(plane, quota)

    def admitted() -> bool:
        try:
            apply(plane, pod)
        except ClusterError:
            return False
        return True

    wait_for("the pod is admitted", admitted, seconds=30)
    plane.kubectl("delete", "namespace", "driver")


def test_nodes_stay_alive_by_their_leases(plane: ControlPlane) -> None:
    def renewed() -> str:
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        leases: list[dict[str, Any]] = json.loads(plane.kubectl("get", "--raw", path))["items"]
        return next((each["spec"]["renewTime"] for each in leases if each["metadata"]["name"] == "alive"), "")

    plane.apply_nodes([machine("alive")])
    wait_for("it has a lease", lambda: renewed() != "", seconds=30)
    first = renewed()
    wait_for("the lease is renewed", lambda: renewed() != first)
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    assert plane.kubectl("get", "node", "alive", f"--output={ready}") == "True"
    plane.delete_nodes("name=alive")
