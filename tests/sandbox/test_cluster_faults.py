"""What goes wrong in a cluster that is up is told plainly, and the next command completes what it kept from being done.

The tests follow each other on one stack that is up.
"""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.sandbox.by_hand import delete_at_google
from tests.sandbox.conftest import Checkout
from tests.sandbox.stacks import edited, objects, values
from tests.sandbox.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

UNREACHABLE = "unreachable.yaml"
LATE = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "late.example.com"},
    "webhooks": [
        {
            "name": "late.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 1,
            # Nobody listens there yet.
            "clientConfig": {"url": "https://127.0.0.1:1/validate"},
            "rules": [
                {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Iterator[Checkout]:
    checkout.succeed("up", "dev")
    (checkout.folder / UNREACHABLE).write_text("reachable: false\n")
    yield checkout
    checkout.make("destroy", "dev")
    assert checkout.processes() == []
    assert not (checkout.folder / ".sandbox").exists()


def change(checkout: Checkout, length: int) -> None:
    """Changes the server's command line, so that `up` has a Deployment to update."""
    (model,) = values(checkout, "dev")["models"]
    edited(checkout, "dev", models=[{**model, "maxModelLen": length}])


def refused(checkout: Checkout, **variables: str) -> str:
    run = checkout.make("up", "dev", **variables)
    assert run.returncode != 0
    return run.stdout + run.stderr


def gpu_node(checkout: Checkout) -> dict[str, Any]:
    (node,) = objects(checkout, "dev", "nodes -l cloud.google.com/gke-nodepool=l4")
    return node


def servers(checkout: Checkout) -> list[dict[str, Any]]:
    return objects(checkout, "dev", "pods -l app.kubernetes.io/name=vllm", "serving")


def behave(checkout: Checkout, node: str, how: str = "") -> None:
    command = [".venv/bin/python", "-m", "sandbox", "behave", "--stack", "dev", "--node", node, how]
    subprocess.run(command, cwd=checkout.folder, check=True)


def test_a_webhook_that_is_late_is_named_and_the_next_up_completes(up: Checkout) -> None:
    (up.folder / "late.yaml").write_text(yaml.safe_dump(LATE))
    up.succeed("kubectl", "dev", ARGS="apply -f late.yaml")
    change(up, 4096)
    said = refused(up)
    assert '"serving/gemma-3-1b" failed' in said and 'failed calling webhook "late.example.com"' in said, said
    up.succeed("kubectl", "dev", ARGS="delete -f late.yaml")
    assert "Stack dev is up" in up.succeed("up", "dev")
    assert " to update" not in up.succeed("preview", "dev")


def test_a_cluster_that_cannot_be_reached_is_named_and_the_next_up_completes(up: Checkout) -> None:
    change(up, 2048)
    said = refused(up, SANDBOX_SCENARIO=UNREACHABLE)
    assert "configured Kubernetes cluster is unreachable" in said, said
    assert "Stack dev is up" in up.succeed("up", "dev")
    assert " to update" not in up.succeed("preview", "dev")


def test_verify_names_a_node_that_is_not_ready_and_passes_when_it_is_back(up: Checkout) -> None:
    node = gpu_node(up)["metadata"]["name"]
    behave(up, node, "not-ready")
    run = up.make("verify", "dev")
    assert run.returncode != 0 and "0 nodes are Ready" in run.stdout, run.stdout
    behave(up, node)
    wait_for("the node is Ready", lambda: "NotReady" not in up.succeed("kubectl", "dev", ARGS=f"get node {node}"))
    up.succeed("verify", "dev")


def test_a_preempted_node_comes_back_and_serves_again_without_a_command(up: Checkout) -> None:
    before = gpu_node(up)
    (pod,) = servers(up)
    name = before["metadata"]["name"]
    behave(up, name, "not-ready")
    behave(up, name, "preempted")
    wait_for("the model serves again", lambda: up.make("verify", "dev").returncode == 0)
    (after,) = servers(up)
    assert after["metadata"]["uid"] != pod["metadata"]["uid"]
    assert after["spec"]["nodeName"] == name == gpu_node(up)["metadata"]["name"]
    assert gpu_node(up)["status"]["nodeInfo"] == before["status"]["nodeInfo"]
    preview = up.succeed("preview", "dev")
    assert " to update" not in preview and " to create" not in preview


def test_destroy_names_the_rule_that_a_load_balancer_left_and_goes_on_once_it_is_gone(up: Checkout) -> None:
    up.succeed("kubectl", "dev", ARGS="-n serving create service loadbalancer mine --tcp=80:8000")
    (up.folder / "stay.yaml").write_text("loadBalancersStay: true\n")
    run = up.make("destroy", "dev", SANDBOX_SCENARIO="stay.yaml")
    said = run.stdout + run.stderr
    assert run.returncode != 0 and "is gone" not in said
    left = re.search(r"The network resource '\S+' is already being used by '\S+/(firewalls/k8s-fw-a\w{31})'", said)
    assert left, said
    delete_at_google(up.folder / ".sandbox" / "dev", left[1])
    assert "stack dev is gone" in up.succeed("destroy", "dev")


def test_a_stack_whose_cluster_cannot_be_reached_goes_down(up: Checkout) -> None:
    up.succeed("up", "dev")
    assert "stack dev is gone" in up.succeed("destroy", "dev", SANDBOX_SCENARIO=UNREACHABLE)
    assert up.processes() == []
    assert not (up.folder / ".sandbox").exists()
