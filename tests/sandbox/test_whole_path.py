"""One stack file to a running vLLM server, by the commands of the README, with the real Pulumi engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.manifests.labels import ON_EVERYTHING
from sandbox.project import CANARY_TOKEN
from tests.sandbox.conftest import Checkout
from tests.sandbox.stacks import applied_again, edited, values

pytestmark = pytest.mark.timeout(900)


def _dirty(checkout: Checkout) -> str:
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    lines = subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in lines.splitlines() if not line.startswith("A  "))


def _pods(checkout: Checkout, stack: str) -> dict[str, dict[str, str]]:
    text = checkout.make("kubectl", stack, ARGS="get pods -A -o json").stdout
    return {
        pod["metadata"]["name"]: {"phase": pod["status"]["phase"], "node": pod["spec"].get("nodeName", "")}
        for pod in json.loads(text)["items"]
    }


def _model(checkout: Checkout) -> dict[str, Any]:
    (model,) = values(checkout, "h200")["models"]
    return model


def _labels(item: dict[str, Any]) -> dict[str, str]:
    return item["metadata"].get("labels", {})


class TestH200:
    """The tests of this class build on each other, in this order."""

    def test_preview_with_nothing_up_lists_every_resource(self, checkout: Checkout) -> None:
        output = checkout.succeed("preview", "h200")
        snapshot = yaml.safe_load((checkout.folder / "tests/graph/snapshots/h200.yaml").read_text())
        expected = [key.split(" ", 1)[1] for key in snapshot["resources"]]
        missing = [name for name in expected if f" {name} " not in output]
        assert missing == []
        assert not (checkout.folder / ".sandbox").exists()
        assert checkout.processes() == []

    def test_up_runs_vllm_on_every_h200_node_and_lws_on_a_system_node(self, checkout: Checkout) -> None:
        output = checkout.succeed("up", "h200")
        assert "Stack h200 is up" in output and "a stand-in for vLLM answers" in output
        pods = _pods(checkout, "h200")
        model = _model(checkout)["name"]
        servers = [pod for name, pod in pods.items() if name.startswith(f"{model}-group-")]
        controller = next(pod for name, pod in pods.items() if name.startswith("lws-controller-manager-"))
        assert all(pod["phase"] == "Running" and "-h200-" in pod["node"] for pod in servers)
        assert len({pod["node"] for pod in servers}) == len(servers) == 2
        assert controller["phase"] == "Running" and "-system-" in controller["node"]
        assert CANARY_TOKEN not in output

    def test_every_pod_in_the_cluster_has_the_labels_that_everything_has(self, checkout: Checkout) -> None:
        pods = json.loads(checkout.make("kubectl", "h200", ARGS="get pods -A -o json").stdout)["items"]
        names = {pod["metadata"]["name"] for pod in pods if not ON_EVERYTHING.items() <= _labels(pod).items()}
        # GKE's own are none of the stack's.
        assert len(pods) > 5 and {name for name in names if not name.startswith("gke-node-agents-")} == set()

    def test_second_up_changes_nothing_and_the_checkout_stays_clean(self, checkout: Checkout) -> None:
        output = checkout.succeed("up", "h200")
        assert "unchanged" in output
        assert not any(word in output for word in (" to create", "created", "updated", "replaced", "deleted"))
        assert _dirty(checkout) == ""

    def test_every_object_can_be_made_again_as_after_a_kill(self, checkout: Checkout) -> None:
        kinds, run = applied_again(checkout, "h200")
        assert {"LeaderWorkerSet", "ValidatingWebhookConfiguration"} <= kinds
        assert run.returncode == 0, run.stderr

    def test_renaming_the_model_changes_only_what_depends_on_it(self, checkout: Checkout) -> None:
        file = checkout.folder / "Pulumi.h200.yaml"
        before, model = file.read_text(), _model(checkout)
        edited(checkout, "h200", models=[{**model, "name": "renamed"}])
        try:
            output = checkout.succeed("preview", "h200")
        finally:
            file.write_text(before)
        resources = output[: output.index("Outputs:")].splitlines()
        changed = {line.split()[2] for line in resources if line.split()[:1] in (["+"], ["-"], ["~"], ["+-"])}
        assert changed and all(name.startswith((model["name"], "renamed")) for name in changed), output

    def test_the_token_is_in_no_file_and_no_log(self, checkout: Checkout) -> None:
        home = checkout.folder / ".sandbox" / "h200"
        token = CANARY_TOKEN.encode()
        holders = [
            str(path.relative_to(home))
            for path in home.rglob("*")
            # etcd is the cluster's own store, where a Secret has to be; what pods mount is in their node's memory.
            if path.is_file() and not {"etcd", "mounts"} & set(path.parts) and token in path.read_bytes()
        ]
        assert holders == []

    def test_both_stacks_up_at_once_do_not_meet(self, checkout: Checkout) -> None:
        checkout.succeed("up", "dev")
        assert any("-l4-" in pod["node"] for pod in _pods(checkout, "dev").values())
        assert not any("-l4-" in pod["node"] for pod in _pods(checkout, "h200").values())
        checkout.succeed("destroy", "dev")
        assert "unchanged" in checkout.succeed("up", "h200")

    def test_destroy_leaves_nothing(self, checkout: Checkout) -> None:
        checkout.succeed("destroy", "h200")
        assert not (checkout.folder / ".sandbox").exists()
        assert checkout.processes() == []
        assert _dirty(checkout) == ""


def test_render_writes_every_object_and_no_secret(checkout: Checkout, tmp_path: Path) -> None:
    out = tmp_path / "rendered"
    checkout.succeed("render", "h200", OUT=str(out))
    documents = [yaml.safe_load(file.read_text()) for file in sorted(out.iterdir())]
    kinds = {document["kind"] for document in documents}
    assert {"LeaderWorkerSet", "Service", "DaemonSet", "Namespace", "Secret", "Network", "GKENetworkParamSet"} <= kinds
    assert "CustomResourceDefinition" in kinds and "ValidatingWebhookConfiguration" in kinds
    assert all(CANARY_TOKEN not in file.read_text() for file in out.iterdir())
    first = {file.name: file.read_text() for file in out.iterdir()}
    checkout.succeed("render", "h200", OUT=str(out))
    assert {file.name: file.read_text() for file in out.iterdir()} == first
    assert not (checkout.folder / ".sandbox").exists()


def test_a_chart_that_wants_a_new_kubernetes_renders_without_a_cluster(checkout: Checkout, tmp_path: Path) -> None:
    checkout.succeed("render", "gb200", OUT=str(tmp_path))
    kinds = {yaml.safe_load(file.read_text())["kind"] for file in tmp_path.iterdir()}
    assert {"ComputeDomain", "LeaderWorkerSet", "DaemonSet"} <= kinds


def test_render_refuses_a_folder_with_other_things_in_it(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    run = checkout.make("render", "dev", OUT=str(tmp_path))
    assert run.returncode != 0 and "thesis.tex" in run.stderr
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("nodes: 1", "nodes: many", "inference-platform:nodePools[0].nodes"),
        ("accelerator: l4", "accelerator: l40", "inference-platform:nodePools[0].accelerator"),
        ("inference-platform:models:", "inference-platform:modells:", "Did you mean models?"),
    ],
)
def test_a_wrong_stack_file_is_one_error_and_creates_nothing(
    checkout: Checkout, old: str, new: str, expected: str
) -> None:
    file = checkout.folder / "Pulumi.dev.yaml"
    before = file.read_text()
    file.write_text(before.replace(old, new))
    try:
        run = checkout.make("up", "dev")
    finally:
        file.write_text(before)
    text = run.stdout + run.stderr
    assert run.returncode != 0
    assert expected in text
    assert "Traceback" not in text
    cloud = checkout.folder / ".sandbox" / "dev" / "cloud.json"
    assert not cloud.exists() or json.loads(cloud.read_text()).get("resources", {}) == {}
    checkout.succeed("destroy", "dev")
    assert not (checkout.folder / ".sandbox").exists()


def test_an_unknown_stack_is_one_clear_line(checkout: Checkout) -> None:
    run = checkout.make("up", "h2000")
    assert run.returncode != 0
    assert "there is no Pulumi.h2000.yaml" in run.stderr and "h200" in run.stderr
    assert "Traceback" not in run.stderr
