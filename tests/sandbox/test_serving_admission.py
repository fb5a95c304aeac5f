"""Two groups over two nodes each and two servers of one pod: what the API server admits, and that one always serves."""

import copy
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import stack_names
from sandbox.cluster import ClusterError, ControlPlane
from sandbox.home import Home
from tests.graph.broken_stacks import outcomes
from tests.graph.recorder import Graph, record
from tests.sandbox.conftest import Checkout
from tests.sandbox.waiting import wait_for

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
STACKS = stack_names(CHECKOUT)
STACK = "survives"
GROUPS = {
    "name": "groups",
    "model": "google/gemma-3-27b-it",
    "tensorParallel": 8,
    "pipelineParallel": 2,
    "replicas": 2,
}
PAIR = {"name": "pair", "model": "google/gemma-3-1b-it", "replicas": 2}
POOL = {
    "name": "h200",
    "accelerator": "h200",
    "zone": "us-central1-b",
    "nodes": 7,
    "capacity": {"kind": "spot"},
}
CALLERS = {
    "namespaces": ["chat", "batch-2"],
    "ranges": ["10.20.0.0/16", "192.168.7.7/32"],
    "googleLoadBalancers": {"scope": "regional", "proxyOnlyRange": "10.129.0.0/23"},
}
INSIDE = "serving-rdma"
SECONDS = 90.0


def write_stack(folder: Path, **of_the_pair: Any) -> None:
    config = {
        "pulumi:disable-default-providers": ["*"],
        "inference-platform:region": "us-central1",
        "inference-platform:nodePools": [POOL],
        "inference-platform:models": [GROUPS, {**PAIR, **of_the_pair}],
        "inference-platform:access": {"callers": CALLERS},
    }
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")


@pytest.fixture(scope="module")
def plane(checkout: Checkout) -> ControlPlane:
    write_stack(checkout.folder)
    checkout.succeed("up", STACK)
    (folder,) = (checkout.folder / ".sandbox" / STACK / "clusters").glob("*-cluster")
    return ControlPlane(folder)


def objects(plane: ControlPlane, kind: str, *arguments: str, namespace: str = INSIDE) -> list[dict[str, Any]]:
    return json.loads(plane.kubectl("get", kind, f"--namespace={namespace}", *arguments, "--output=json"))["items"]


def ready(plane: ControlPlane, service: str = "groups", namespace: str = INSIDE) -> int:
    """Servers that clients are sent to."""
    selector = f"--selector=kubernetes.io/service-name={service}"
    slices = objects(plane, "endpointslices", selector, namespace=namespace)
    return sum(bool(each["conditions"].get("ready")) for s in slices for each in s.get("endpoints") or [])


def group_pods(plane: ControlPlane) -> dict[str, dict[str, Any]]:
    """By name; those that are going are not counted."""
    found = objects(plane, "pods", "--selector=app.kubernetes.io/name=vllm")
    return {p["metadata"]["name"]: p for p in found if "deletionTimestamp" not in p["metadata"]}


def node_of(plane: ControlPlane, pod: str) -> str:
    return group_pods(plane)[pod]["spec"]["nodeName"]


def whole(plane: ControlPlane) -> bool:
    pods = group_pods(plane)
    return len(pods) == 4 and ready(plane) == 2 and all(_is_ready(pod) for pod in pods.values())


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


@contextmanager
def always_one_ready(plane: ControlPlane, *service: str) -> Iterator[None]:
    """Looks all the while, and fails if clients ever had no server."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.append(ready(plane, *service))
            time.sleep(0.1)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert min(seen) >= 1, seen
    assert len(seen) > 3


class TestAdmission:
    def test_the_api_server_takes_every_object_with_strict_validation(
        self, checkout: Checkout, plane: ControlPlane, tmp_path: Path
    ) -> None:
        checkout.succeed("render", STACK, OUT=str(tmp_path))
        for job in tmp_path.glob("job_*"):
            # Its template cannot change, and the one that runs names the token's Secret as the Pulumi engine does.
            job.unlink()
        applied = plane.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            f"--filename={tmp_path}",
        )
        assert "leaderworkerset.leaderworkerset.x-k8s.io/groups-group" in applied
        assert "serverside-applied" in applied or "unchanged" in applied

    def test_a_pod_like_the_groups_own_is_admitted(self, plane: ControlPlane) -> None:
        assert "created" in create(plane, self._pod(plane))

    @pytest.mark.parametrize(
        "change",
        [
            lambda spec: spec["volumes"].append({"name": "etc", "hostPath": {"path": "/etc"}}),
            lambda spec: [m.pop("readOnly", None) for m in spec["containers"][0]["volumeMounts"]],
            lambda spec: spec["securityContext"].update(runAsNonRoot=False),
            lambda spec: spec["securityContext"].pop("seccompProfile"),
            lambda spec: spec.update(hostNetwork=True),
            lambda spec: spec["containers"][0]["securityContext"].update(
                privileged=True, allowPrivilegeEscalation=True
            ),
            lambda spec: spec["containers"][0]["securityContext"]["capabilities"].update(add=["IPC_LOCK"]),
            lambda spec: spec["containers"][0]["securityContext"].update(runAsUser=0),
            lambda spec: spec["containers"].append({"name": "bare", "image": "example.org/bare:1"}),
        ],
        ids=[
            "another folder of the node",
            "a writable folder of the node",
            "root",
            "no seccomp profile",
            "the node's network",
            "privileged",
            "an added capability",
            "user 0",
            "a container that says nothing",
        ],
    )
    def test_a_pod_that_takes_more_of_its_node_is_refused(
        self, plane: ControlPlane, change: Callable[[dict[str, Any]], object]
    ) -> None:
        pod = self._pod(plane)
        change(pod["spec"])
        with pytest.raises(ClusterError, match=r"serving-rdma-host-access"):
            create(plane, pod)

    def test_serving_admits_no_folder_of_the_node_at_all(self, plane: ControlPlane) -> None:
        pod = self._pod(plane)
        pod["metadata"]["namespace"] = "serving"
        with pytest.raises(ClusterError, match=r"PodSecurity .*restricted"):
            create(plane, pod)

    def _pod(self, plane: ControlPlane) -> dict[str, Any]:
        (group,) = objects(plane, "leaderworkersets")
        template = copy.deepcopy(group["spec"]["leaderWorkerTemplate"]["leaderTemplate"])
        metadata = {"name": "like-a-leader", "namespace": INSIDE}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@pytest.fixture(scope="module")
def every_kind(plane: ControlPlane) -> ControlPlane:
    """The same cluster, with the kinds that other stacks' charts and clusters bring."""
    for folder in (
        CHECKOUT / "sandbox" / "charts" / "nvidia-dra-driver-gpu" / "crds",
        CHECKOUT / "sandbox/cluster/kinds",
    ):
        plane.kubectl("apply", "--server-side", f"--filename={folder}")
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    return plane


@pytest.mark.parametrize("stack", STACKS)
def test_the_api_server_takes_every_object_of_every_stack_strictly(every_kind: ControlPlane, stack: str) -> None:
    is_taken(every_kind, record(stack, preview=False))


@pytest.mark.parametrize("stack", STACKS)
def test_the_api_server_takes_what_the_plan_accepts_of_broken_stack_files(
    every_kind: ControlPlane, stack: str, tmp_path: Path
) -> None:
    accepted = (each.config for each in outcomes(tmp_path, stack, range(60)) if each.plan is not None)
    for config in islice(accepted, 2):
        is_taken(every_kind, record(stack, preview=False, config=config))


def is_taken(every_kind: ControlPlane, graph: Graph) -> None:
    made = [each.inputs for each in graph.registrations if each.type.startswith("kubernetes:")]
    objects = [each for each in made if "apiVersion" in each]
    for secret in (each for each in objects if each["kind"] == "Secret"):
        secret["metadata"]["name"] = "named-by-the-engine"
        secret["stringData"] = {"token": "hf_written_nowhere"}
    for job in (each for each in objects if each["kind"] == "Job"):
        # One of that name may be up, and a Job's template cannot change.
        job["metadata"]["name"] = f"{job['metadata']['name']}-new"
    namespaces = [each for each in objects if each["kind"] == "Namespace"]
    apply(every_kind, namespaces)
    applied = apply(every_kind, objects, "--dry-run=server", "--validate=strict")
    assert len(applied.splitlines()) == len(objects) > len(namespaces)


def test_a_misspelt_field_would_be_refused(plane: ControlPlane) -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wrong", "namespace": INSIDE}}
    with pytest.raises(ClusterError, match=r"field not declared|unknown field"):
        apply(plane, [{**wrong, "spec": {"portz": []}}], "--dry-run=server", "--validate=strict")


def apply(plane: ControlPlane, objects: list[dict[str, Any]], *options: str) -> str:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    return plane.kubectl("apply", "--server-side", "--force-conflicts", *options, "--filename=-", stdin=text)


def create(plane: ControlPlane, pod: dict[str, Any]) -> str:
    return plane.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(pod))


def test_two_nodes_that_are_drained_at_once_never_take_both_groups(checkout: Checkout, plane: ControlPlane) -> None:
    wait_for("both groups are whole", lambda: whole(plane), SECONDS)
    nodes = [node_of(plane, "groups-group-0"), node_of(plane, "groups-group-1-1")]
    drain = ["drain", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=20s"]
    home = Home.of(checkout.folder, STACK)
    assert plane.directory.parent == home.clusters
    with always_one_ready(plane):
        drains = [
            subprocess.Popen(plane.kubectl_command(*drain, node), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for node in nodes
        ]
        assert all(process.wait(timeout=SECONDS) is not None for process in drains)
    for node in nodes:
        plane.kubectl("uncordon", node)
    wait_for("both groups are whole", lambda: whole(plane), SECONDS)


def test_one_of_two_servers_is_ready_while_one_is_killed_drained_and_updated(
    checkout: Checkout, plane: ControlPlane
) -> None:
    home = "serving"

    def pods() -> dict[str, str]:
        """The node of each, by name."""
        found = objects(plane, "pods", "--selector=app.kubernetes.io/instance=pair", namespace=home)
        servers = [pod for pod in found if pod["metadata"]["labels"]["app.kubernetes.io/name"] == "vllm"]
        return {
            p["metadata"]["name"]: p["spec"]["nodeName"] for p in servers if "deletionTimestamp" not in p["metadata"]
        }

    def both() -> bool:
        return len(pods()) == 2 and ready(plane, "pair", home) == 2

    wait_for("both are ready", both, SECONDS)
    assert len(set(pods().values())) == 2
    with always_one_ready(plane, "pair", home):
        victim, kept = pods()
        plane.kubectl("delete", "pod", victim, f"--namespace={home}")
        wait_for("both are ready", both, SECONDS)
        assert victim not in pods() and kept in pods()
        node = pods()[kept]
        plane.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
        wait_for("both are ready", both, SECONDS)
        assert kept not in pods() and node not in pods().values()
        plane.kubectl("uncordon", node)
        before = pods()
        write_stack(checkout.folder, maxNumSeqs=64)
        checkout.succeed("up", STACK)
        wait_for("both are ready", both, SECONDS)
        assert not set(before) & set(pods())
