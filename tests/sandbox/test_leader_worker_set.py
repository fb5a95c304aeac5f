"""LeaderWorkerSet's own controller runs in the sandbox once its chart is installed."""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.cluster import ClusterError, ControlPlane
from sandbox.cluster.processes import recorded
from sandbox.tools import cluster_tools, lws_chart
from tests.sandbox.plane_objects import GPU_NODE, PLAIN, SYSTEM_NODE, apply, get, pod
from tests.sandbox.waiting import wait_for

NAMESPACE = "lws-system"
"""The namespace that the controller assumes where it runs outside of a pod (lws 0.9.0, pkg/utils/utils.go)."""
INSIDE = f"--namespace={NAMESPACE}"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path / "plane", cluster_tools(print))
    plane.start(PLAIN)
    plane.apply_nodes([SYSTEM_NODE, GPU_NODE])
    yield plane
    plane.destroy()


def rendered(chart: Path) -> list[dict[str, Any]]:
    """The objects of the LeaderWorkerSet chart's templates with its default values.

    Just enough of the template language for it: every `if` and `with` of this chart is false by default.
    """
    values = yaml.safe_load((chart / "values.yaml").read_text())
    name, instance = {"app.kubernetes.io/name": "lws"}, {"app.kubernetes.io/instance": "lws"}
    includes = {
        "lws.fullname": "lws",
        "lws.labels": name,
        "lws.instanceLabel": instance,
        "lws.selectorLabels": name | instance,
    }

    def expression(match: re.Match[str]) -> str:
        text = match[1]
        if text == "not .Values.enableCertManager":
            return "true"
        if ".Release.Namespace" in text:
            return NAMESPACE
        if named := re.match(r'include "([\w.]+)"', text):
            value: Any = includes[named[1]]
        else:
            path = re.search(r"\.Values\.([\w.]+)", text)
            assert path, text
            value = values
            for key in path[1].split("."):
                value = value[key]
        if indent := re.search(r"nindent (\d+)", text):
            return "\n" + textwrap.indent(yaml.safe_dump(value), int(indent[1]) * " ")
        return str(value)

    objects: list[dict[str, Any]] = []
    for folder in ("rbac", "manager", "webhook"):
        for file in sorted((chart / "templates" / folder).iterdir()):
            kept: list[str] = []
            depth = 0
            for line in file.read_text().splitlines():
                depth += bool(re.search(r"\{\{-? (if|with) ", line))
                if depth == 0:
                    kept.append(re.sub(r"\{\{-?\s*(.*?)\s*-?\}\}", expression, line))
                depth -= bool(re.search(r"\{\{-? end ", line))
            objects += [each for each in yaml.safe_load_all("\n".join(kept)) if each]
    return objects


def test_a_leader_worker_set_runs_by_the_real_controller(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", NAMESPACE)
    chart = lws_chart(print)
    plane.kubectl("apply", "--server-side", "-f", str(chart / "crds"))
    apply(plane, *rendered(chart))
    name = "deployment/lws-controller-manager"
    plane.kubectl("rollout", "status", name, INSIDE, "--timeout=60s")

    worker = pod("any", gpus=4)["spec"]
    leader_worker_set = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "server"},
        "spec": {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": {"spec": worker}}},
    }
    # The webhook's own message, so it was asked.
    refused = json.loads(json.dumps(leader_worker_set))
    refused["spec"]["leaderWorkerTemplate"]["size"] = 0
    with pytest.raises(ClusterError, match="denied the request"):
        apply(plane, refused)
    apply(plane, leader_worker_set)
    plane.kubectl("wait", "--for=condition=Available", "--timeout=60s", "leaderworkerset/server")
    nodes = {get(plane, "pod", name)["spec"]["nodeName"] for name in ("server-0", "server-0-1")}
    assert nodes == {"gpu-1"}

    plane.kubectl("delete", "leaderworkerset/server")

    # With two, admission goes on without the one that led; the other leads then.
    plane.kubectl("scale", name, "--replicas=2", INSIDE)
    plane.kubectl("rollout", "status", name, INSIDE, "--timeout=60s")
    assert controllers(plane) == {"leader-worker-set", "leader-worker-set-1"}
    lost = leader_of_the_controllers(plane)
    plane.kubectl("delete", "pod", lost, INSIDE, "--grace-period=0", "--force")
    apply(plane, leader_worker_set)
    plane.kubectl("wait", "--for=condition=Available", "--timeout=120s", "leaderworkerset/server")

    plane.kubectl("delete", "leaderworkerset/server")
    plane.kubectl("delete", name, INSIDE)
    wait_for("the controllers go with their pods", lambda: controllers(plane) == set())


def controllers(plane: ControlPlane) -> set[str]:
    """Names of the processes that stand for pods of LeaderWorkerSet's controller."""
    return {each.name for each in recorded(plane.directory) if each.name.startswith("leader-worker-set")}


def leader_of_the_controllers(plane: ControlPlane) -> str:
    """The pod that was there first, which no other has taken the lead from."""
    found = get(plane, "pods", INSIDE)["items"]
    return min(found, key=lambda pod: pod["metadata"]["creationTimestamp"])["metadata"]["name"]
