"""Verification says passed only for what was seen to be right, and tells a broken thing from one out of sight."""

import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from verification import parsers
from verification.cluster_checks import NODE_POOL_LABEL, cluster_checks
from verification.expectations import Expectations, ExpectedModel, ExpectedPool, ExpectedToken
from verification.job_checks import judge
from verification.kubectl import Kubectl, NotFound, Proxy, ServiceAddress
from verification.model_checks import judge_driver, judge_nccl, why_not_ready
from verification.results import CheckFailed, NotObservable, Result, Status, failed, table, write_report
from verification.rows import VerifyRow


def complaining(text: str) -> Kubectl:
    """A kubectl that ends with this error."""
    return Kubectl([sys.executable, "-c", f"import sys; sys.exit({text!r})"])


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        (
            'Error from server (InternalError): an error on the server ("this node is simulated") has prevented the '
            "request from succeeding ( pods/log a)",
            "this node is simulated",
        ),
        ("error: unable to upgrade connection: this node is simulated", "this node is simulated"),
        ("Error from server: no preferred addresses found; known addresses: []", "no preferred addresses found"),
        ("Error from server: No agent available", "No agent available"),
        ("Error from server: Get https://10.0.0.1: dial tcp 10.0.0.1:10250: i/o timeout", "i/o timeout"),
        (
            'Error from server (Forbidden): pods "a" is forbidden: User "me" cannot get resource "pods/log"',
            "cannot get",
        ),
    ],
)
def test_what_a_node_does_not_say_is_not_observable(complaint: str, reason: str) -> None:
    with pytest.raises(NotObservable, match=reason):
        complaining(complaint).logs("serving", "a", "vllm")


@pytest.mark.parametrize(
    "complaint",
    [
        'Error from server (BadRequest): container "vllm" in pod "a" is waiting to start: ContainerCreating',
        "command terminated with exit code 127",
        'Error from server (NotFound): pods "a" not found',
    ],
)
def test_what_is_wrong_with_the_pod_itself_is_a_failure(complaint: str) -> None:
    with pytest.raises(CheckFailed):
        complaining(complaint).execute("serving", "a", "vllm", "nvidia-smi")


def test_what_is_not_there_is_a_failure_even_where_nodes_say_nothing() -> None:
    with pytest.raises(NotFound):
        complaining('Error from server (NotFound): deployments.apps "a" not found').get("deployment", "a")


def test_a_missing_kubectl_is_a_failure() -> None:
    with pytest.raises(CheckFailed, match="kubectl cannot be run"):
        Kubectl(["/nowhere/kubectl"]).get("nodes")


def test_a_bandwidth_is_judged_by_its_floor_and_by_its_values() -> None:
    good = parsers.NcclTest(peak_bus_bandwidth=188.6, peak_size=8 * 1024**3, average_bus_bandwidth=None, wrong=0)
    assert judge(good, "150") == "bus bandwidth 188.6 GB/s at 8,192 MiB, above the floor of 150 GB/s"
    with pytest.raises(CheckFailed, match="and the floor is 300 GB/s"):
        judge(good, "300")
    with pytest.raises(CheckFailed, match="2 values came out wrong"):
        judge(parsers.NcclTest(500.0, 1024**3, None, wrong=2), "300")


def test_the_table_aligns_counts_and_keeps_each_row_on_one_line() -> None:
    results = [
        Result("cluster", "API server", Status.PASSED, "v1.36.3"),
        Result("gemma", "nvidia-smi", Status.NOT_OBSERVABLE, "this node\nis simulated"),
    ]
    assert table(results).splitlines() == [
        "SUBJECT  CHECK       RESULT          DETAIL",
        "cluster  API server  passed          v1.36.3",
        "gemma    nvidia-smi  not observable  this node is simulated",
        "",
        "1 passed, 0 failed, 1 not observable here",
    ]


def test_only_a_failure_makes_the_whole_fail() -> None:
    unseen = Result("gemma", "nvidia-smi", Status.NOT_OBSERVABLE, "")
    assert not failed([unseen])
    assert failed([unseen, Result("gemma", "chat", Status.FAILED, "404")])


def test_a_server_that_dies_over_a_request_is_a_failure_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)

        thread = threading.Thread(target=hang_up)
        thread.start()
        proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(CheckFailed, match=r"/v1/models: .*(closed|reset)"):
            proxy.text(ServiceAddress("serving", "gemma", 8000), "/v1/models", 5)
        thread.join()


def model_of(**others: Any) -> ExpectedModel:
    """One of vLLM 0.33.0 as the catalogue has it."""
    return ExpectedModel(
        **{
            "name": "gemma",
            "namespace": "serving",
            "served_name": "google/gemma-3-1b-it",
            "port": 8000,
            "replicas": 1,
            "nodes": 1,
            "gpus_per_node": 1,
            "tensor_parallel": 1,
            "pipeline_parallel": 1,
            "vllm_version": "0.33.0",
            "nccl": "2.30.7",
            "driver_branch_floor": 580,
            "cuda_compatibility": False,
            **others,
        }
    )


def test_a_driver_older_than_the_images_cuda_needs_is_a_failure() -> None:
    assert judge_driver({"580.159.04"}, model_of()) == "580.159.04; vLLM 0.33.0 needs R580"
    with pytest.raises(CheckFailed, match="needs R580"):
        judge_driver({"580.159.04", "570.86.15"}, model_of())
    with pytest.raises(CheckFailed, match="needs R580"):
        judge_driver(set(), model_of(cuda_compatibility=True))
    assert "bridge the gap" in judge_driver({"570.86.15"}, model_of(cuda_compatibility=True))


@pytest.mark.parametrize(
    "line",
    [
        "vllm-0:1:1 [0] NCCL INFO NCCL version 2.30.7+cuda13.0",
        "NCCL version 2.30.7+cuda13.0",
        "INFO 11-28 10:00:00 [pynccl.py:70] vLLM is using nccl==2.30.7",
    ],
)
def test_the_nccl_that_runs_is_held_against_the_one_that_the_release_is_recorded_with(line: str) -> None:
    found = parsers.nccl_version(f"something\n{line}\nmore")
    assert judge_nccl(found, model_of()).startswith("2.30.7, as vLLM 0.33.0")
    with pytest.raises(CheckFailed, match=r"2\.30\.7, where vLLM 0\.33\.0 is recorded with 2\.31\.2"):
        judge_nccl(found, model_of(nccl="2.31.2"))
    with pytest.raises(NotObservable):
        judge_nccl(parsers.nccl_version("nothing of it"), model_of())


POOL = ExpectedPool("h200", least_nodes=1, cpus=223.0, memory_gib=2840.1, disk_gib=10_700.0)


def nodes(*addresses: list[dict[str, str]]) -> Kubectl:
    """A kubectl that knows these nodes, all of the pool `h200` but for the last."""
    items = [
        {
            "metadata": {
                "name": f"node-{i}",
                "labels": {NODE_POOL_LABEL: "h200" if i < len(addresses) - 1 else "other"},
            },
            "status": {"addresses": each},
        }
        for i, each in enumerate(addresses)
    ]
    return Kubectl([sys.executable, "-c", f"import json; print(json.dumps({{'items': {items!r}}}))"])


EXPECTED = Expectations(
    cluster="c",
    own_cluster=False,
    pools=(POOL,),
    lws_namespace="lws-system",
    token=ExpectedToken("secret", "token"),
    models=(),
    preflights={},
)


def addresses_row(kubectl: Kubectl, *, own_cluster: bool) -> str:
    return dict(cluster_checks(kubectl, replace(EXPECTED, own_cluster=own_cluster)))[VerifyRow.ADDRESSES]()


def test_a_node_that_the_internet_can_reach_is_a_failure() -> None:
    inside, outside = {"type": "InternalIP", "address": "10.0.0.1"}, {"type": "ExternalIP", "address": "34.1.2.3"}
    assert addresses_row(nodes([inside], [inside]), own_cluster=True) == "none of 2 nodes has one"
    with pytest.raises(CheckFailed, match="1 of 2 nodes have one: node-0"):
        addresses_row(nodes([inside, outside], [inside]), own_cluster=True)


def test_nodes_of_others_in_a_cluster_that_was_there_are_not_judged() -> None:
    inside, outside = {"type": "InternalIP", "address": "10.0.0.1"}, {"type": "ExternalIP", "address": "34.1.2.3"}
    assert addresses_row(nodes([inside], [outside]), own_cluster=False) == "none of 1 nodes has one"
    with pytest.raises(CheckFailed, match="node-1"):
        addresses_row(nodes([inside], [outside]), own_cluster=True)


def test_a_report_is_the_table_as_markdown_with_every_cell_in_its_place(tmp_path: Path) -> None:
    results = [Result("a|b", "chat", Status.FAILED, "one\ntwo \\ three")]
    file = tmp_path / "new" / "report.md"
    write_report(file, results, "After `up`: dev", ["stack `dev`"])
    assert file.read_text(encoding="utf-8").splitlines() == [
        "# After `up`: dev",
        "",
        "- stack `dev`",
        "",
        "| subject | check | result | detail |",
        "| --- | --- | --- | --- |",
        "| a\\|b | chat | FAILED | one two \\\\ three |",
        "",
        "0 passed, 1 failed, 0 not observable.",
    ]


def allocatable_row(**allocatable: str) -> str:
    items = [{"status": {"allocatable": allocatable}}]
    kubectl = Kubectl([sys.executable, "-c", f"import json; print(json.dumps({{'items': {items!r}}}))"])
    expected = replace(EXPECTED, own_cluster=True)
    return dict(cluster_checks(kubectl, expected))[f"{VerifyRow.ALLOCATABLE} h200"]()


ENOUGH = {"cpu": "223", "memory": f"{2841 * 1024**2}Ki", "ephemeral-storage": str(10_701 * 1024**3)}


def test_a_node_with_less_for_pods_than_the_plan_counts_on_is_a_failure() -> None:
    assert "2,841.0 GiB of memory (2,840.1 planned)" in allocatable_row(**ENOUGH)
    for name, less in {"cpu": "222500m", "memory": "2800Gi", "ephemeral-storage": "9000Gi"}.items():
        with pytest.raises(CheckFailed, match="than the plan counts on"):
            allocatable_row(**{**ENOUGH, name: less})


def test_a_pool_without_nodes_shows_nothing_of_them() -> None:
    kubectl = Kubectl([sys.executable, "-c", "print('{\"items\": []}')"])
    with pytest.raises(NotObservable, match="no nodes"):
        dict(cluster_checks(kubectl, EXPECTED))[f"{VerifyRow.ALLOCATABLE} h200"]()


@pytest.mark.parametrize(
    ("text", "value"),
    [("11910m", 11.91), ("48Gi", 48 * 1024**3), ("3Ki", 3072), ("5k", 5000), ("47093746742", 47093746742)],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: str, value: float) -> None:
    assert parsers.quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "-1", "1Zi", "Gi", "1 Gi"])
def test_what_is_no_quantity_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parsers.quantity(text)


def _died(message: str, **state: Any) -> dict[str, Any]:
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    return {"name": "weights", "state": state or {"terminated": ended}, "lastState": {"terminated": ended}}


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        (
            {
                "initContainerStatuses": [_died("gone\nerror: no hub\n", waiting={"reason": "CrashLoopBackOff"})],
                "containerStatuses": [{"name": "vllm", "state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            ["weights: error: no hub"],
        ),
        ({"initContainerStatuses": [_died("")]}, ["weights: Error"]),
        (
            {"containerStatuses": [{"name": "vllm", "state": {"waiting": {"reason": "ErrImagePull", "message": "x"}}}]},
            ["vllm: ErrImagePull x"],
        ),
        ({"conditions": [{"type": "Ready", "status": "True"}], "initContainerStatuses": [_died("old")]}, []),
    ],
)
def test_pods_that_are_not_ready_are_told_by_what_they_said_last(status: dict[str, Any], reasons: list[str]) -> None:
    assert why_not_ready([{"status": status}, {"status": status}]) == reasons
