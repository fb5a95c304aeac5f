"""What the pipelines run at Google, run by the plain CLI against the stand-in: saved plans, drift, and the way back."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.tools import cluster_tools, lws_chart
from tests.sandbox.conftest import CHECKOUT, copy_checkout
from tests.sandbox.plain_cli import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

STACK = "dev"
TOKEN = "hf_canaryofthepipelines"
PLAN = "saved-plan.json"


@dataclass(frozen=True)
class Said:
    status: int
    text: str


class Pipeline(Project):
    """A clone in which jobs run one after the other, with a Google that stays."""

    def __init__(self, folder: Path) -> None:
        for name in ("clone", "backend"):
            (folder / name).mkdir()
        super().__init__(copy_checkout(folder / "clone").folder, folder / "backend")
        self.cloud = folder / "cloud.json"
        self._clusters = folder / "clusters"
        self._credentials = folder / "workload-identity.json"
        self._credentials.write_text('{"type": "external_account"}', encoding="utf-8")
        self.said: list[Said] = []

    def job(self, *command: str) -> Said:
        """One step of a workflow. Its commands are those of .github/workflows."""
        path = [str(CHECKOUT / "sandbox" / "bin"), self.environment["PATH"]]
        variables = {
            "STACK": STACK,
            "BASE": "HEAD",
            "PULUMI_EXPERIMENTAL": "true",
            "PATH": os.pathsep.join(path),
            "SSL_CERT_FILE": str(self._clusters / "ca.pem"),
            "SANDBOX_CLUSTERS": str(self._clusters),
            # As google-github-actions/auth leaves it; no account of gcloud's is there.
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._credentials),
            "CLOUDSDK_CONFIG": str(self._credentials.parent / "no-account"),
        }
        with serve_cloud(self.cloud, self._clusters, cluster_tools(lambda _: None)) as port:
            run = self.run(*command, cloud=port, **variables)
        self.said.append(Said(run.returncode, run.stdout + run.stderr))
        return self.said[-1]

    def preview(self, out: str) -> Said:
        return self.job("pipelines/preview.sh", out, "--save-plan", PLAN)

    def up(self) -> Said:
        return self.job(
            *("pulumi", "up", "--stack", STACK, "--plan", PLAN, "--policy-pack", "policy", "--yes", "--non-interactive")
        )

    def kubectl(self, *arguments: str) -> None:
        kubeconfig = next(self._clusters.glob("*/admin.kubeconfig"))
        kubectl = cluster_tools(lambda _: None).kubectl
        subprocess.run([kubectl, "--kubeconfig", kubeconfig, *arguments], check=True, capture_output=True)

    def change_pool(self, node_count: int) -> None:
        """As somebody does in Google's console."""
        state: dict[str, dict[str, Any]] = json.loads(self.cloud.read_text(encoding="utf-8"))
        pool = next(record for name, record in state["resources"].items() if name.endswith("/nodePools/l4"))
        pool["outputs"]["nodeCount"] = node_count
        self.cloud.write_text(json.dumps(state), encoding="utf-8")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A stack that two runs of the merge's workflow have brought up."""
    made = Pipeline(tmp_path_factory.mktemp("pipelines"))
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, "commit", "-qm", "base"], cwd=made.folder, check=True)
    for command in (
        ["stack", "init", STACK],
        ["config", "set", "project", "acme-inference"],
        ["config", "set", "--secret", "huggingFaceToken", TOKEN],
        ["config", "set", "--path", "leaderWorkerSet.chart", str(lws_chart(lambda _: None))],
    ):
        run = made.pulumi(*command)
        assert run.returncode == 0, run.stderr
    try:
        made.preview("first")
        made.up()
        made.preview("second")
        made.up()
        yield made
    finally:
        destroyed = made.job("pulumi", "destroy", "--stack", STACK, "--yes", "--non-interactive")
        assert destroyed.status == 0, destroyed.text


def test_a_first_update_ends_with_the_cluster_and_the_next_run_does_the_rest(pipeline: Pipeline) -> None:
    planned, stopped, planned_again, done = pipeline.said[:4]
    assert planned.status == 0 and "✅ inference-platform@v" in planned.text, planned.text
    assert stopped.status != 0 and "violates plan" in stopped.text, stopped.text
    assert planned_again.status == 0, planned_again.text
    report = pipeline.folder / "second"
    assert sorted(file.name for file in report.iterdir()) == ["report.html", "report.md"]
    rest = re.match(r"🔹 Creates (\d+) resources", (report / "report.md").read_text(encoding="utf-8"))
    assert rest and done.status == 0 and f"{rest[1]} created" in done.text, done.text


def test_an_update_that_is_not_the_saved_one_is_refused(pipeline: Pipeline) -> None:
    assert pipeline.preview("none").status == 0
    assert "✅ **Nothing changes**" in (pipeline.folder / "none" / "report.md").read_text(encoding="utf-8")
    file = pipeline.folder / f"Pulumi.{STACK}.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("nodes: 1", "nodes: 2"), encoding="utf-8")
    try:
        refused = pipeline.up()
        assert refused.status != 0 and "violates plan" in refused.text, refused.text
        assert pipeline.preview("grown").status == 0
        done = pipeline.up()
        assert done.status == 0 and "2 updated" in done.text, done.text
        report = (pipeline.folder / "grown" / "report.md").read_text(encoding="utf-8")
        assert report.startswith("🔹 Node pool `l4`: 1 → 2 nodes")
    finally:
        file.write_text(before, encoding="utf-8")
    assert pipeline.preview("shrunk").status == 0
    assert pipeline.up().status == 0


def test_the_nightly_look_names_what_hands_changed_in_the_cluster_and_in_the_cloud(pipeline: Pipeline) -> None:
    look = pipeline.folder / "look"
    assert pipeline.job("pipelines/drift.sh", "look").status == 0
    assert (look / "status").read_text() == "0\n", (look / "drift.md").read_text(encoding="utf-8")

    pipeline.kubectl("--namespace=serving", "scale", "deployment", "gemma-3-1b", "--replicas=0")
    pipeline.kubectl("--namespace=serving", "delete", "service", "gemma-3-1b")
    pipeline.change_pool(node_count=3)
    assert pipeline.job("pipelines/drift.sh", "look").status == 0
    assert (look / "status").read_text() == "3\n"
    found = (look / "drift.md").read_text(encoding="utf-8")
    assert "Deployment `gemma-3-1b-server` was changed: `spec.replicas` is 0, not 1" in found
    assert "Service `gemma-3-1b-service` is gone" in found
    assert "NodePool `l4-pool` was changed: `nodeCount` is 3, not 1" in found
    assert sorted(file.name for file in look.iterdir()) == ["drift.md", "status"]


def test_no_job_says_or_keeps_a_secret(pipeline: Pipeline) -> None:
    kept = [file for file in pipeline.folder.rglob("*.*") if file.suffix in (".md", ".html", ".json")]
    assert pipeline.folder / PLAN in kept
    assert all(TOKEN not in file.read_text(encoding="utf-8") for file in kept)
    assert all(TOKEN not in said.text for said in pipeline.said)
