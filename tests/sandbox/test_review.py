"""A change reported by the pipeline's own script, and what hands changed found again, both in the sandbox."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.conftest import Checkout

pytestmark = pytest.mark.slow

STACK = "dev"


def _git(checkout: Checkout, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=checkout.folder, check=True, capture_output=True)


def _pull_request(checkout: Checkout, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pipelines/pull-request.sh"],
        cwd=checkout.folder,
        env={**os.environ, "CHECKS": "help", "BASE": "HEAD", "OUT": "report", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def grown(checkout: Checkout) -> Iterator[Checkout]:
    """A pool has a node more than at the last commit."""
    _git(checkout, "add", "-A")
    _git(checkout, "commit", "--allow-empty", "-qm", "base")
    file = checkout.folder / f"Pulumi.{STACK}.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("nodes: 1", "nodes: 2"), encoding="utf-8")
    yield checkout
    _git(checkout, "checkout", "-q", ".")


def test_the_pipeline_reports_the_stack_that_changed_and_no_other(grown: Checkout) -> None:
    run = _pull_request(grown)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "make report" in run.stdout, "the check that was asked for did not run"
    reports = grown.folder / "report"
    assert sorted(folder.name for folder in reports.iterdir()) == [STACK, "plans"]
    assert len(list((reports / "plans").glob("*.md"))) == len(list(grown.folder.glob("Pulumi.*.yaml")))
    assert sorted(file.name for file in (reports / STACK).iterdir()) == ["report.html", "report.md"]
    comment = (reports / STACK / "report.md").read_text(encoding="utf-8")
    assert comment.startswith("🔹 Node pool `l4`: 1 → 2 nodes")
    assert "<html" in (reports / STACK / "report.html").read_text(encoding="utf-8")
    assert grown.processes() == []


def test_the_pipeline_fails_where_a_change_breaks_a_rule(grown: Checkout) -> None:
    (grown.folder / "policy" / "bounds.yaml").write_text("usdPerHourAtMost: {default: 0.01}\n", encoding="utf-8")
    run = _pull_request(grown, STACKS=STACK)
    assert run.returncode == 3, run.stdout + run.stderr
    comment = (grown.folder / "report" / STACK / "report.md").read_text(encoding="utf-8")
    assert comment.startswith("⛔ **1 rule broken**: `capacity-spend-bound`")
    assert "- Node pool `l4`: 1 → 2 nodes" in comment


def test_drift_names_what_hands_changed_in_the_cluster_and_in_the_cloud(checkout: Checkout) -> None:
    checkout.succeed("up", STACK)
    clean = checkout.make("drift", STACK)
    assert clean.returncode == 0, clean.stdout + clean.stderr

    checkout.succeed("kubectl", STACK, ARGS="-n serving scale deployment gemma-3-1b --replicas=0")
    cloud = checkout.folder / ".sandbox" / STACK / "cloud.json"
    state: dict[str, dict[str, Any]] = json.loads(cloud.read_text(encoding="utf-8"))
    pool = next(record for id_, record in state["resources"].items() if id_.endswith("/nodePools/l4"))
    pool["outputs"]["nodeCount"] = 3
    cloud.write_text(json.dumps(state), encoding="utf-8")

    drifted = checkout.make("drift", STACK)
    said = drifted.stdout + drifted.stderr
    assert drifted.returncode != 0, said
    assert "Deployment `gemma-3-1b-server` was changed: `spec.replicas` is 0, not 1" in said
    assert "NodePool `l4-pool` was changed: `nodeCount` is 3, not 1" in said
