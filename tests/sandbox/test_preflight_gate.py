"""A fabric that is too slow stops an update before a server is built; a lower floor or a lost node does not.

The preflight's own script runs here, in stand-ins for Google's test images; what it finds is told to it.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.conftest import Checkout
from tests.sandbox.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STACK = "gate"
POOL = {
    "name": "h200",
    "accelerator": "h200",
    "zone": "us-central1-b",
    "nodes": 2,
    "capacity": {"kind": "spot"},
}
GROUP = {"name": "group", "model": "google/gemma-3-27b-it", "tensorParallel": 8, "pipelineParallel": 2}
PODS = "get pods -n nccl-preflight -o json"


def write_stack(checkout: Checkout, **more: Any) -> None:
    config = {
        "pulumi:disable-default-providers": ["*"],
        "inference-platform:region": "us-central1",
        "inference-platform:nodePools": [POOL],
        "inference-platform:models": [GROUP],
        **{f"inference-platform:{name}": value for name, value in more.items()},
    }
    text = yaml.safe_dump({"config": config})
    (checkout.folder / f"Pulumi.{STACK}.yaml").write_text(text, encoding="utf-8")


def behave(checkout: Checkout, how: str) -> None:
    command = [".venv/bin/python", "-m", "sandbox", "behave", "--stack", STACK, "--fabric", how]
    subprocess.run(command, cwd=checkout.folder, check=True, capture_output=True)


def kubectl(checkout: Checkout, arguments: str) -> str:
    return checkout.succeed("kubectl", STACK, ARGS=arguments)


def pods(checkout: Checkout) -> dict[str, list[dict[str, Any]]]:
    """The pods of the test, by their index."""
    run = checkout.make("kubectl", STACK, ARGS=PODS)
    found: dict[str, list[dict[str, Any]]] = {}
    for pod in json.loads(run.stdout)["items"] if run.returncode == 0 else []:
        index = pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
        found.setdefault(index, []).append(pod)
    return found


@pytest.fixture
def gone_afterwards(checkout: Checkout) -> Iterator[Checkout]:
    yield checkout
    checkout.make("destroy", STACK)


def test_too_little_bandwidth_builds_no_server_until_the_floor_is_lowered(gone_afterwards: Checkout) -> None:
    checkout = gone_afterwards
    write_stack(checkout)
    behave(checkout, "busbw=4")
    refused = checkout.make("up", STACK)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "the fabric of pool h200 has too little bandwidth: 4 GB/s between two nodes, and 200 GB/s are" in said, said
    assert "write preflight: {minimumBusBandwidth: 4}" in said
    assert "group-server" not in kubectl(checkout, "get leaderworkersets -A")
    # No other pod tries again: it would find the same.
    assert len(pods(checkout)["0"]) == 1

    write_stack(checkout, preflight={"minimumBusBandwidth": 4})
    assert "Stack gate is up" in checkout.succeed("up", STACK)
    assert "unchanged" in checkout.succeed("up", STACK)


def test_a_spot_node_that_is_taken_away_once_is_no_failure(gone_afterwards: Checkout, tmp_path: Path) -> None:
    checkout = gone_afterwards
    write_stack(checkout)
    behave(checkout, "hang")
    command = ["make", "--no-print-directory", "up", f"STACK={STACK}"]
    log = tmp_path / "up.log"
    with log.open("wb") as output, subprocess.Popen(command, cwd=checkout.folder, stdout=output, stderr=output) as up:

        def measures() -> bool:
            first = pods(checkout).get("0")
            name = first[0]["metadata"]["name"] if first else ""
            return "# nThread" in checkout.make("kubectl", STACK, ARGS=f"logs -n nccl-preflight {name}").stdout

        wait_for("it measures", measures, seconds=400)
        (other,) = pods(checkout)["1"]
        node, uid = other["spec"]["nodeName"], other["metadata"]["uid"]
        selector = "--pod-selector=batch.kubernetes.io/job-completion-index=1"
        kubectl(checkout, f"drain {node} --ignore-daemonsets --delete-emptydir-data --force {selector}")
        behave(checkout, "")
        kubectl(checkout, f"uncordon {node}")
        status = up.wait(timeout=400)
    assert status == 0, log.read_text(encoding="utf-8")
    assert uid not in {pod["metadata"]["uid"] for tries in pods(checkout).values() for pod in tries}
