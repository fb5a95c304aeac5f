"""The real scheduler places every shipped stack's pods on nodes of GKE's size, beside what GKE and we run on each.

All stacks stand in one control plane, each in a namespace and on nodes of its own, with the pods of its recorded graph.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from config import stack_names
from planning.plan import PlatformPlan
from sandbox.cloud.nodes import nodes_of_pool
from sandbox.cloud.store import Record
from sandbox.cloud.system_pods import NAME as SYSTEM
from sandbox.cloud.system_pods import system_daemon_set
from sandbox.cloud.tables import Tables
from sandbox.cluster import ControlPlane
from sandbox.tools import cluster_tools
from tests.sandbox.conftest import CHECKOUT
from tests.sandbox.plane_objects import PLAIN, apply, get
from tests.sandbox.waiting import wait_for
from tests.unit.test_resources import plan

STACK_LABEL = "tests/stack"
STACKS = stack_names(CHECKOUT)
IMAGE = "gke.gcr.io/pause:3.10"


def recorded(stack: str, kind: str) -> list[dict[str, Any]]:
    """The inputs of a stack's resources of that kind, as its recorded graph has them."""
    graph = yaml.safe_load((CHECKOUT / f"tests/graph/snapshots/{stack}.yaml").read_text(encoding="utf-8"))
    return [entry["inputs"] for entry in resources(graph) if f" {kind} " in f" {entry['type']} "]


def resources(graph: Any) -> Iterator[dict[str, Any]]:
    for title, entry in graph["resources"].items():
        yield {"type": title.split(" ")[0], "inputs": entry.get("inputs", {})}


def nodes(stack: str, made: PlatformPlan) -> list[dict[str, Any]]:
    """The nodes of a stack's accelerator pools, at the most that there can be."""
    plans = {pool.name: pool for pool in made.node_pools}
    found: list[dict[str, Any]] = []
    for inputs in recorded(stack, "gcp:container/nodePool:NodePool"):
        pool = plans.get(inputs["name"])
        if pool is None:
            continue
        id_ = f"projects/p/locations/{inputs['location']}/clusters/{stack}/nodePools/{inputs['name']}"
        outputs = {**inputs, "nodeLocations": [pool.zone], "nodeCount": pool.max_nodes}
        effects = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}
        outputs["nodeConfig"]["effectiveTaints"] = [
            {"key": taint.key, "value": taint.value, "effect": effects[taint.effect]} for taint in pool.taints
        ]
        for node in nodes_of_pool(id_, Record("", {}, outputs), Tables()):
            node["metadata"]["labels"][STACK_LABEL] = stack
            found.append(node)
    return found


def on_its_nodes(stack: str, spec: dict[str, Any]) -> dict[str, Any]:
    """What the scheduler looks at of a pod, and that it stays on the stack's nodes."""
    containers = [
        {"name": each["name"], "image": IMAGE, "resources": without_networks(each.get("resources", {}))}
        for each in spec["containers"]
    ]
    init = [
        {
            "name": each["name"],
            "image": IMAGE,
            "resources": without_networks(each.get("resources", {})),
            **({"restartPolicy": each["restartPolicy"]} if "restartPolicy" in each else {}),
        }
        for each in spec.get("initContainers", [])
    ]
    kept = {key: spec[key] for key in ("affinity", "tolerations", "topologySpreadConstraints") if key in spec}
    selector = {**spec.get("nodeSelector", {}), STACK_LABEL: stack}
    return {**kept, "nodeSelector": selector, "containers": containers, **({"initContainers": init} if init else {})}


def without_networks(asked: dict[str, Any]) -> dict[str, Any]:
    """NICs are handed out by drivers that no node here has."""
    return {
        side: {name: amount for name, amount in asked[side].items() if not name.startswith("networking.gke.io")}
        for side in ("requests", "limits")
        if side in asked
    }


def servers(stack: str) -> list[dict[str, Any]]:
    """Every pod that the stack's Deployments and LeaderWorkerSets come to."""
    pods: list[dict[str, Any]] = []
    for inputs in recorded(stack, "kubernetes:apps/v1:Deployment"):
        pods += [pod(stack, inputs, index, inputs["spec"]["template"]) for index in range(inputs["spec"]["replicas"])]
    for inputs in recorded(stack, "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"):
        group = inputs["spec"]["leaderWorkerTemplate"]
        for replica in range(inputs["spec"]["replicas"]):
            for index in range(group["size"]):
                template = group["leaderTemplate" if index == 0 else "workerTemplate"]
                pods.append(pod(stack, inputs, replica * group["size"] + index, template))
    return pods


def pod(stack: str, owner: dict[str, Any], index: int, template: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": f"{owner['metadata']['name']}-{index}",
        "namespace": stack,
        "labels": template["metadata"]["labels"],
    }
    spec = on_its_nodes(stack, template["spec"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def daemons(stack: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for inputs in recorded(stack, "kubernetes:apps/v1:DaemonSet"):
        template = inputs["spec"]["template"]
        spec = {
            "selector": inputs["spec"]["selector"],
            "template": {
                "metadata": {"labels": template["metadata"]["labels"]},
                "spec": on_its_nodes(stack, template["spec"]),
            },
        }
        metadata = {"name": inputs["metadata"]["name"], "namespace": stack}
        made.append({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})
    return made


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("scheduling") / "plane", cluster_tools(print))
    plane.start(PLAIN)
    apply(plane, *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stack}} for stack in STACKS))
    apply(plane, system_daemon_set())
    plane.apply_nodes([node for stack in STACKS for node in nodes(stack, plan(stack))])
    every = [each for stack in STACKS for each in daemons(stack)]
    apply(plane, *every)
    total = len(get(plane, "nodes")["items"])

    def all_placed() -> bool:
        sets = get(plane, "daemonsets", "--all-namespaces")["items"]
        status = [each.get("status", {}) for each in sets]
        wanted = [each.get("desiredNumberScheduled", 0) for each in status]
        ready = [each.get("currentNumberScheduled", 0) for each in status]
        return len(sets) == len(every) + 1 and total in wanted and all(wanted) and wanted == ready

    wait_for("GKE's pods and ours are on every node", all_placed, seconds=180)
    apply(plane, *(each for stack in STACKS for each in servers(stack)))
    yield plane
    plane.destroy()


def placed(plane: ControlPlane, stack: str) -> dict[str, str | None]:
    """The node of each server's pod, None while it has none."""
    names = {each["metadata"]["name"] for each in servers(stack)}
    found = get(plane, "pods", f"--namespace={stack}")["items"]
    return {
        each["metadata"]["name"]: each["spec"].get("nodeName") for each in found if each["metadata"]["name"] in names
    }


@pytest.mark.parametrize("stack", STACKS)
def test_every_server_of_a_shipped_stack_gets_a_node(plane: ControlPlane, stack: str) -> None:
    wait_for("each has one", lambda: bool(placed(plane, stack)) and all(placed(plane, stack).values()), seconds=120)
    used = [use for pool in plan(stack).pool_use for use in pool.used]
    assert len(placed(plane, stack)) == len(servers(stack))
    assert len(set(placed(plane, stack).values())) >= len(used)


def test_gkes_own_pods_run_on_every_node(plane: ControlPlane) -> None:
    (found,) = [
        each for each in get(plane, "daemonsets", "--all-namespaces")["items"] if each["metadata"]["name"] == SYSTEM
    ]
    wait_for(
        "all run",
        lambda: (
            get(plane, "daemonset", SYSTEM, "--namespace=kube-system")["status"].get("numberReady", 0)
            == len(get(plane, "nodes")["items"])
        ),
        seconds=180,
    )
    assert found["status"]["numberMisscheduled"] == 0


def test_a_server_that_asks_for_more_than_gke_leaves_stays_pending(plane: ControlPlane) -> None:
    """What a whole-node server of H200 asked for once, as a share of the machine's memory."""
    asked = servers("h200")[0]
    asked["metadata"]["name"] = "too-large"
    for side in ("requests", "limits"):
        asked["spec"]["containers"][0]["resources"][side]["memory"] = "2882Gi"
        asked["spec"]["containers"][0]["resources"][side].pop("nvidia.com/gpu")
    plane.kubectl("delete", "pods", "--all", "--namespace=h200", "--wait=true", "--grace-period=0", "--force")
    apply(plane, asked)

    def told() -> str:
        conditions = get(plane, "pod", "too-large", "--namespace=h200")["status"].get("conditions", [])
        return " ".join(each.get("message", "") for each in conditions)

    wait_for("the scheduler says why", lambda: "Insufficient memory" in told())
    with pytest.raises(ValueError, match=r"kvOffload\.sizeGib: \d+ GiB a pod are more than"):
        plan("h200", **{"models.0.engine": {"kvOffload": {"sizeGib": 2 * 2882}}})


def test_one_server_more_than_the_plan_puts_on_a_node_stays_pending(plane: ControlPlane) -> None:
    (model,) = [each for each in plan("article").models if each.name == "vllm-multi-gpu-8"]
    assert model.resources.gpus == 8
    asked = next(each for each in servers("article") if each["metadata"]["name"].startswith("vllm-multi-gpu-8"))
    asked["metadata"]["name"] = "one-more"
    apply(plane, asked)

    def told() -> str:
        conditions = get(plane, "pod", "one-more", "--namespace=article")["status"].get("conditions", [])
        return " ".join(each.get("message", "") for each in conditions)

    wait_for("the scheduler says why", lambda: "Insufficient nvidia.com/gpu" in told())
    with pytest.raises(ValueError, match=r"nodePools\[0\]\.nodes"):
        plan("article", **{"models.2.replicas": 2})
