"""What a sandbox's control plane promises: it is a real one, alone, and leaves nothing behind."""

import dataclasses
import json
import os
import shutil
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster import ClusterError, ControlPlane
from sandbox.cluster.processes import ProcessId, recorded
from sandbox.tools import ClusterTools, cluster_tools
from tests.sandbox.plane_objects import (
    FEATURES,
    GPU_NODE,
    GPU_TAINT,
    PLAIN,
    SYSTEM_NODE,
    apply,
    get,
    node,
    pod,
    processes_with,
    wait_until_ready,
    why_pending,
)
from tests.sandbox.waiting import wait_for

ENGINE_LIKE_PATH = "a-folder-name-as-long-as-those-of-deep-checkouts-and-of-test-runners" * 2


def gone(processes: list[ProcessId]) -> bool:
    return not any(process.alive() for process in processes)


@pytest.fixture(scope="module")
def tools() -> ClusterTools:
    return cluster_tools(print)


@pytest.fixture(scope="module")
def plane(tools: ClusterTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("plane") / ENGINE_LIKE_PATH, tools)
    plane.start(FEATURES)
    plane.apply_nodes([SYSTEM_NODE, GPU_NODE])
    yield plane
    plane.destroy()


@pytest.fixture(scope="module")
def other_folder(tools: ClusterTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("other") / "plane"
    yield folder
    ControlPlane(folder, tools).destroy()


@pytest.fixture
def other(tools: ClusterTools, other_folder: Path) -> ControlPlane:
    """A second control plane, which a test may break: it runs again for the next."""
    plane = ControlPlane(other_folder, tools)
    plane.start(PLAIN)
    return plane


def test_its_certificate_and_token_are_known_before_it_runs(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path / "plane")
    plane.prepare()
    certificate, token = plane.ca_file.read_bytes(), plane.token_file.read_text()
    plane.prepare()
    assert (plane.ca_file.read_bytes(), plane.token_file.read_text()) == (certificate, token)
    assert plane.token_file.stat().st_mode & 0o077 == 0
    assert not plane.running()
    with pytest.raises(ClusterError, match="never started"):
        _ = plane.endpoint


def test_it_answers_the_administrator_and_nobody_else(plane: ControlPlane) -> None:
    trust = ssl.create_default_context(cafile=plane.ca_file)
    url = f"https://{plane.endpoint}/api/v1/nodes"
    with pytest.raises(urllib.error.HTTPError, match="401") as refusal:
        urllib.request.urlopen(url, context=trust)
    refusal.value.close()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {plane.token_file.read_text()}"})
    with urllib.request.urlopen(request, context=trust) as answer:
        assert {item["metadata"]["name"] for item in json.load(answer)["items"]} == {"system-1", "gpu-1"}


def test_starting_it_again_changes_nothing(plane: ControlPlane) -> None:
    before = recorded(plane.directory)
    plane.start(FEATURES)
    assert recorded(plane.directory) == before


def test_a_node_keeps_the_resources_it_was_given(plane: ControlPlane) -> None:
    plane.apply_nodes([GPU_NODE])
    assert get(plane, "node", "gpu-1")["status"]["allocatable"] == GPU_NODE["status"]["allocatable"]
    with_nics = node("gpu-1", {"pool": "gpu"}, [GPU_TAINT], **{"nvidia.com/gpu": "8", "networking.gke.io/rdma": "8"})
    plane.apply_nodes([with_nics])
    assert get(plane, "node", "gpu-1")["status"]["allocatable"] == with_nics["status"]["allocatable"]


def test_a_pod_runs_where_its_gpus_are_and_waits_where_there_are_too_few(plane: ControlPlane) -> None:
    apply(plane, pod("eight", gpus=8), pod("nine", gpus=9))
    wait_until_ready(plane, "eight")
    assert get(plane, "pod", "eight")["spec"]["nodeName"] == "gpu-1"
    assert "Insufficient nvidia.com/gpu" in why_pending(plane, "nine")
    plane.kubectl("delete", "pod", "eight", "nine")


def test_a_taint_keeps_off_what_does_not_tolerate_it(plane: ControlPlane) -> None:
    apply(plane, pod("intolerant", nodeSelector={"pool": "gpu"}))
    assert "untolerated taint" in why_pending(plane, "intolerant")
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    apply(plane, pod("tolerant", nodeSelector={"pool": "gpu"}, tolerations=tolerations))
    wait_until_ready(plane, "tolerant")
    plane.kubectl("delete", "pod", "intolerant", "tolerant")


def test_a_daemon_set_reaches_every_node_and_a_job_completes(plane: ControlPlane) -> None:
    spec = pod("any", tolerations=[{"operator": "Exists"}])["spec"]
    labels = {"app": "agent"}
    daemon_set = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": {**spec, "restartPolicy": "Never"}}},
    }
    apply(plane, daemon_set, job)
    plane.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    plane.kubectl("wait", "--for=condition=Complete", "--timeout=60s", "job/once")
    assert get(plane, "daemonset", "agent")["status"]["numberReady"] == 2
    plane.kubectl("delete", "daemonset/agent", "job/once")


def test_pods_leave_with_their_node(plane: ControlPlane) -> None:
    plane.apply_nodes([node("leaving", {"pool": "leaving"}, [])])
    apply(plane, pod("passenger", nodeSelector={"pool": "leaving"}))
    wait_until_ready(plane, "passenger")
    plane.delete_nodes("pool=leaving")
    plane.delete_nodes("pool=leaving")
    assert "leaving" not in plane.kubectl("get", "nodes", "--output=name")
    assert "passenger" not in plane.kubectl("get", "pods", "--output=name")


def parameter_set(name: str, device_mode: str, subnetwork: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "GKENetworkParamSet",
        "metadata": {"name": name},
        "spec": {"vpc": "rdma", "vpcSubnet": subnetwork, "deviceMode": device_mode},
    }


def network(name: str) -> dict[str, Any]:
    reference = {"group": "networking.gke.io", "kind": "GKENetworkParamSet", "name": name}
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "Network",
        "metadata": {"name": name},
        "spec": {"type": "Device", "parametersRef": reference},
    }


def test_networks_are_checked_and_become_ready_as_on_gke(plane: ControlPlane, other: ControlPlane) -> None:
    with pytest.raises(ClusterError, match='"DPDK-VFIO", "NetDevice", "RDMA"'):
        apply(plane, parameter_set("rdma-0", "RDMAX", "rdma-sub-0"))
    apply(plane, parameter_set("rdma-0", "RDMA", "rdma-sub-0"), network("rdma-0"))
    ready = ("wait", "--for=condition=Ready", "--timeout=60s")
    plane.kubectl(*ready, "gkenetworkparamset/rdma-0", "network.networking.gke.io/rdma-0")
    time.sleep(1.1)  # Google's controller compares ages in whole seconds, and so does ours
    apply(plane, parameter_set("other", "RDMA", "rdma-sub-0"))
    plane.kubectl("wait", "--for=condition=Ready=False", "--timeout=60s", "gkenetworkparamset/other")
    plane.kubectl("delete", "gkenetworkparamset/other", "gkenetworkparamset/rdma-0", "network.networking.gke.io/rdma-0")
    with pytest.raises(ClusterError, match="no matches for kind"):
        apply(other, parameter_set("rdma-0", "RDMA", "rdma-sub-0"))
    assert "gateways.gateway.networking.k8s.io" in plane.kubectl("get", "crds", "--output=name")


def test_two_control_planes_do_not_meet(plane: ControlPlane, other: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "here")
    assert plane.endpoint != other.endpoint
    assert "namespace/here" not in other.kubectl("get", "namespaces", "--output=name")
    assert other.kubectl("get", "nodes", "--output=name") == ""
    with pytest.raises(ClusterError, match="certificate"):
        plane.kubectl(f"--server=https://{other.endpoint}", "get", "nodes")


def test_nothing_outlives_a_killed_supervisor_and_the_data_is_still_there(other: ControlPlane) -> None:
    endpoint, running = other.endpoint, recorded(other.directory)
    assert len(running) == 7
    other.apply_nodes([SYSTEM_NODE])
    os.kill(running[0].pid, signal.SIGKILL)
    wait_for("all are gone with their supervisor", lambda: gone(running))
    assert not other.running()
    other.stop()
    assert processes_with(other.directory) == []

    other.start(PLAIN)
    assert other.endpoint == endpoint
    assert other.kubectl("get", "nodes", "--output=name") == "node/system-1\n"
    apply(other, pod("after"))
    wait_until_ready(other, "after")


def test_when_one_part_dies_the_others_end(other: ControlPlane) -> None:
    running = recorded(other.directory)
    victim = next(process for process in running if process.name == "kube-scheduler")
    os.kill(victim.pid, signal.SIGKILL)
    wait_for("all are gone", lambda: gone(running))
    assert "kube-scheduler ended" in (other.directory / "supervisor.log").read_text()


def test_removing_the_folder_ends_it(other: ControlPlane) -> None:
    running = recorded(other.directory)
    # What etcd writes meanwhile may be left, as by `rm -r`.
    shutil.rmtree(other.directory, ignore_errors=True)
    wait_for("all are gone", lambda: gone(running))


def test_destroy_leaves_neither_process_nor_file(other: ControlPlane) -> None:
    assert processes_with(other.directory) != []
    other.stop()
    other.stop()
    assert processes_with(other.directory) == []
    assert list(other.directory.rglob("*.sock")) == []
    other.destroy()
    other.destroy()
    assert not other.directory.exists()


def test_a_part_that_cannot_start_is_named_with_its_last_words(tools: ClusterTools, tmp_path: Path) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 3\n")
    broken.chmod(0o755)
    plane = ControlPlane(tmp_path / "plane", dataclasses.replace(tools, etcd=broken))
    with pytest.raises(ClusterError, match=r"(?s)etcd ended.*made of cheese"):
        plane.start(FEATURES)
    assert not plane.running()
    assert processes_with(plane.directory) == []
