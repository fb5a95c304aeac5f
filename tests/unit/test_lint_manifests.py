"""The linters see every pod there is, and a waiver is a row with a reason that something needs."""

from typing import Any

import pytest

from components.manifests import model_server
from maintenance.lint_manifests import Waiver, judge, waivers
from maintenance.linters.checks import Finding
from maintenance.linters.pods import PodObject, Role, pod_objects
from tests.unit.serving import H100_MEGA, ONE_GPU, TWO_NODES, manifest, planned

SERVER = PodObject("model-0", Role.SERVER, {"kind": "Deployment", "metadata": {"name": "model-0"}})


def finding(check: str) -> Finding:
    return Finding("checkov", check, "Deployment", "model-0", "as the linter says it")


def test_a_group_becomes_a_leader_and_a_worker_that_its_service_and_policies_find() -> None:
    plan = planned(TWO_NODES)
    leader, fetch, worker, again = pod_objects([manifest(plan)])
    assert [each.role for each in (leader, fetch, worker, again)] == [Role.LEADER, Role.FETCH, Role.WORKER, Role.FETCH]
    selector = model_server.service(plan)["spec"]["selector"]
    assert selector.items() <= leader.manifest["metadata"]["labels"].items()
    assert not selector.items() <= worker.manifest["metadata"]["labels"].items()


def test_the_daemon_of_a_transport_answers_for_itself() -> None:
    objects = pod_objects([manifest(planned(TWO_NODES, pool=H100_MEGA))])
    roles = [each.role for each in objects]
    assert roles == [Role.LEADER, Role.FETCH, Role.TRANSPORT_DAEMON, Role.WORKER, Role.FETCH, Role.TRANSPORT_DAEMON]
    for each in objects:
        (container,) = each.manifest["spec"]["containers"]
        names = {Role.TRANSPORT_DAEMON: "tcpxo-daemon", Role.FETCH: "weights"}
        assert container["name"] == names.get(each.role, "vllm")
        assert "initContainers" not in each.manifest["spec"]


def test_charts_and_what_is_laid_on_nodes_are_left_out() -> None:
    others: list[dict[str, Any]] = [
        {"kind": kind, "metadata": {"name": "other", "labels": {}}} for kind in ("Deployment", "DaemonSet", "Service")
    ]
    assert [each.role for each in pod_objects([*others, manifest(planned(ONE_GPU))])] == [Role.SERVER]


def test_every_waiver_in_the_table_has_a_role_that_there_is() -> None:
    assert waivers() and all(isinstance(waiver.role, Role) for waiver in waivers())


@pytest.mark.parametrize("role", [Role.SERVER, Role.LEADER, Role.SMOKE_TEST])
def test_what_answers_requests_or_asks_them_is_waived_nothing_but_its_digest(role: Role) -> None:
    assert {waiver.check for waiver in waivers() if waiver.role is role} == {"CKV_K8S_43"}


def test_a_finding_without_a_row_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert judge([(SERVER, finding("CKV_K8S_1"))], {Waiver("CKV_K8S_1", Role.WORKER)}, whole=False) == 1
    assert "CKV_K8S_1: server model-0: as the linter says it" in capsys.readouterr().err


def test_a_row_that_nothing_needs_fails_when_all_stacks_were_seen() -> None:
    rows = {Waiver("CKV_K8S_43", Role.SERVER), Waiver("CKV_K8S_1", Role.SERVER)}
    found = [(SERVER, finding("CKV_K8S_43"))]
    assert judge(found, rows, whole=False) == 0
    assert judge(found, rows, whole=True) == 1


def test_what_is_no_pod_of_ours_is_never_waived() -> None:
    assert judge([(None, finding("CKV_K8S_43"))], {Waiver("CKV_K8S_43", Role.SERVER)}, whole=False) == 1
