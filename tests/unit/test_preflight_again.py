"""A fabric is measured again with today's software, and whoever is in the way is named first."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from components.manifests.nccl_preflight import preflight
from tests.unit.serving import ONE_GPU, platform
from verification.kubectl import Kubectl
from verification.preflight import free_nodes, run_again
from verification.results import CheckFailed

(PLAN,) = platform(ONE_GPU, nodes=2).preflights
LABELS = {"environment": "prod"}

CLUSTER = """
import json, pathlib, sys
folder, (command, *what) = pathlib.Path(sys.argv[1]), sys.argv[2:]
if command == "create":
    job = json.load(sys.stdin)
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    (folder / "job.json").write_text(json.dumps(job))
elif command == "delete":
    (folder / "job.json").unlink()
else:
    print((folder / f"{what[0]}.json").read_text())
"""


def cluster(folder: Path, **lists: Any) -> Kubectl:
    """A kubectl for a cluster that is a folder: one file for what each kind of `get` answers."""
    for name, content in lists.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return Kubectl([sys.executable, "-c", CLUSTER, str(folder)])


def node(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def pod(name: str, node: str, gpus: int, **labels: str) -> dict[str, Any]:
    requests = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    spec = {"nodeName": node, "containers": [{"resources": {"requests": requests}}]}
    return {"metadata": {"name": name, "namespace": "serving", "labels": labels}, "spec": spec}


def test_it_runs_with_the_image_that_the_stack_has_today(tmp_path: Path) -> None:
    old: dict[str, Any] = json.loads(json.dumps(preflight(PLAN, "0a1b2c3d")))
    old["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "pulumi"
    newer = PLAN.model_copy(
        update={"image": "example.org/tests:v2", "tested_with": "example.org/tests:v2 and an installer"}
    )
    made = run_again(cluster(tmp_path, job=old), newer, LABELS, old)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "example.org/tests:v2"
    assert made["metadata"]["annotations"]["inference-platform/tested-with"] == newer.tested_with
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        assert {"app.kubernetes.io/part-of": "inference-platform", **LABELS}.items() <= metadata["labels"].items()
    # By its old name, under which its pods find each other, and still known to Pulumi.
    assert made["metadata"]["name"] == old["metadata"]["name"]
    (hosts,) = (each["value"] for each in container["env"] if each["name"] == "HOSTS")
    assert f"{made['metadata']['name']}-1.{PLAN.name}" in hosts
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pulumi"


def test_nodes_without_gpu_pods_are_free(tmp_path: Path) -> None:
    nodes, pods = [node("a"), node("b"), node("c")], [pod("server", "a", 8), pod("agent", "b", 0)]
    assert free_nodes(cluster(tmp_path, nodes={"items": nodes}, pods={"items": pods}), PLAN) == ["b", "c"]


def test_the_last_test_itself_is_not_in_the_way(tmp_path: Path) -> None:
    nodes = [node("a"), node("b")]
    pods = [pod("nccl", "a", 8, **{"inference-platform/job": "preflight"})]
    assert free_nodes(cluster(tmp_path, nodes={"items": nodes}, pods={"items": pods}), PLAN) == ["a", "b"]


def test_who_is_in_the_way_is_named(tmp_path: Path) -> None:
    nodes = [node("a"), node("b", unschedulable=True), node("c")]
    with pytest.raises(CheckFailed) as caught:
        free_nodes(cluster(tmp_path, nodes={"items": nodes}, pods={"items": [pod("server", "a", 1)]}), PLAN)
    assert str(caught.value) == (
        "it needs 2 nodes of pool gpu with all their GPUs free (free now: c): "
        "a is used by serving/server; b is used by nobody, being cordoned"
    )
