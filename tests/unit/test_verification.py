"""Verification says passed only for what was seen to be right, and tells a broken thing from one out of sight."""

import socket
import sys
import threading

import pytest

from verification import parsers
from verification.job_checks import judge
from verification.kubectl import Kubectl, NotFound, Proxy, ServiceAddress
from verification.results import CheckFailed, NotObservable, Result, Status, failed, table


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
    assert judge(good, None) == "bus bandwidth 188.6 GB/s at 8,192 MiB; nobody published a floor for this machine"
    assert "above the floor of 150 GB/s" in judge(good, "150")
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
