"""A stack that is up is checked as on Google: what is right passes, what is broken fails, what is unseen says so."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from sandbox.cluster import ClusterError, ControlPlane
from tests.sandbox.conftest import Checkout, copy_checkout
from tests.sandbox.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

STACK = "verify"
SERVING, ON_FABRIC = "serving", "serving-rdma"
SMALL, LARGE = "gemma-3-1b", "gemma-3-27b"
GROUP = "leaderworkerset.sigs.k8s.io/name=gemma-3-27b-group"
GROUP_INDEX = "leaderworkerset.sigs.k8s.io/group-index"

# One node more than the groups and the small model take, so that a group whose node is drained finds another.
NODES = 6
SECONDS = 90.0
STACK_FILE: dict[str, Any] = {
    "config": {
        "pulumi:disable-default-providers": ["*"],
        "inference-platform:region": "us-central1",
        "inference-platform:nodePools": [
            {
                "name": "h200",
                "accelerator": "h200",
                "zone": "us-central1-b",
                "nodes": NODES,
                "capacity": {"kind": "spot"},
            }
        ],
        "inference-platform:models": [
            {"name": SMALL, "model": "google/gemma-3-1b-it"},
            {
                "name": LARGE,
                "model": "google/gemma-3-27b-it",
                "tensorParallel": 8,
                "pipelineParallel": 2,
                "replicas": 2,
            },
        ],
    }
}


class Stack:
    """The stack in its checkout."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._file = checkout.folder / f"Pulumi.{STACK}.yaml"
        self._file.write_text(yaml.safe_dump(STACK_FILE, sort_keys=False), encoding="utf-8")

    def change(self, model: int, **settings: Any) -> None:
        content = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        content["config"]["inference-platform:models"][model] |= settings
        self._file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def sandbox(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command, *rest = arguments
        return subprocess.run(
            [sys.executable, "-m", "sandbox", command, "--stack", STACK, *rest],
            cwd=self._checkout.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        run = self.sandbox(*arguments)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    @property
    def plane(self) -> ControlPlane:
        (folder,) = (self._checkout.folder / ".sandbox" / STACK / "clusters").glob("*-cluster")
        return ControlPlane(folder)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.plane.kubectl(*arguments, stdin=stdin)

    def stream(self, namespace: str, model: str) -> str:
        """The events of a streamed answer, by the API server's service proxy; or what was said instead."""
        path = f"/api/v1/namespaces/{namespace}/services/http:{model}:8000/proxy/v1/completions"
        body = json.dumps({"model": "google/gemma-3-27b-it", "prompt": "Kubernetes is", "stream": True})
        try:
            return self.kubectl("create", "--raw", path, "--filename=-", stdin=body).strip()
        except ClusterError as error:
            return str(error)

    def pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        text = self.kubectl("get", "pods", f"--namespace={namespace}", f"--selector={selector}", "--output=json")
        return json.loads(text)["items"]

    def rows(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Result and detail of each check of verify."""
        header, *lines = self.sandbox("verify", "--timeout", "10").stdout.split("\n\n")[0].splitlines()
        starts = [header.index(title) for title in ("SUBJECT", "CHECK", "RESULT", "DETAIL")]
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for line in lines:
            cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
            found[cells[0], cells[1]] = (cells[2], cells[3])
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    checkout = copy_checkout(tmp_path_factory.mktemp("verify"))
    stack = Stack(checkout)
    stack.succeed("up")
    yield stack
    stack.succeed("destroy")
    assert checkout.processes() == []


def groups(stack: Stack) -> dict[str, dict[str, str]]:
    """By group index: the names of its pods and their uids."""
    found: dict[str, dict[str, str]] = {}
    for pod in stack.pods(ON_FABRIC, GROUP):
        if "deletionTimestamp" not in pod["metadata"]:
            index = pod["metadata"]["labels"][GROUP_INDEX]
            found.setdefault(index, {})[pod["metadata"]["name"]] = pod["metadata"]["uid"]
    return found


def ready_groups(stack: Stack) -> int:
    """Groups all of whose pods are Ready and about to stay."""
    by_group: dict[str, list[bool]] = {}
    for pod in stack.pods(ON_FABRIC, GROUP):
        conditions = pod["status"].get("conditions", [])
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        ready = ready and "deletionTimestamp" not in pod["metadata"]
        by_group.setdefault(pod["metadata"]["labels"][GROUP_INDEX], []).append(ready)
    return sum(len(pods) == 2 and all(pods) for pods in by_group.values())


@contextmanager
def watched(stack: Stack) -> Generator[list[int]]:
    """How many groups are ready, again and again for as long as the context lasts."""
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            seen.append(ready_groups(stack))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@contextmanager
def asked(stack: Stack) -> Generator[None]:
    """Has a streaming request of the large model under way all the while, and fails if one was not answered whole."""
    stack.succeed("behave", "--model", LARGE, "slow-tokens=0.1s")
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answers.append(stack.stream(ON_FABRIC, LARGE))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        stack.succeed("behave", "--model", LARGE)
    broken = [each for each in answers if '"finish_reason": "length"' not in each or not each.endswith("data: [DONE]")]
    assert len(answers) > 3 and broken == []


class TestStack:
    """The tests of this class build on each other, in this order."""

    def test_everything_that_can_be_seen_passes(self, stack: Stack) -> None:
        rows = stack.rows()
        assert {result for result, _ in rows.values()} == {"passed", "not observable"}
        shared = ("pods Ready", "/v1/models", "chat", "completions", "metrics")
        expected = {(model, check) for model in (SMALL, LARGE) for check in shared}
        expected |= {
            (LARGE, "LeaderWorkerSet"),
            ("cluster", "LeaderWorkerSet controller"),
            ("cluster", "nodes of h200"),
            ("cluster", "allocatable of h200"),
            ("cluster", "external addresses"),
        }
        assert {row for row in expected if rows[row][0] != "passed"} == set()
        assert "2 of 2 groups of 2 are ready" in rows[LARGE, "LeaderWorkerSet"][1]

    def test_what_needs_a_gpu_is_not_observable_and_says_why(self, stack: Stack) -> None:
        rows = stack.rows()
        asks_gpus = [(SMALL, "nvidia-smi"), (SMALL, "driver"), (SMALL, "engine log")]
        for row in [*asks_gpus, (LARGE, "NCCL network"), (LARGE, "NCCL version"), (LARGE, "GPUDirect")]:
            result, detail = rows[row]
            assert result == "not observable" and "this node is simulated" in detail
        preflights = {check: row for (subject, check), row in rows.items() if subject == "jobs" and "nccl" in check}
        current = {check for check in preflights if check.endswith(" is current")}
        assert len(preflights) == 2 and {preflights[check][0] for check in current} == {"passed"}
        (measured,) = (row for check, row in preflights.items() if check not in current)
        assert measured[0] == "not observable" and "simulated" in measured[1]

    def test_every_model_has_generated_a_token(self, stack: Stack) -> None:
        rows = stack.rows()
        smoke = {check: row for (subject, check), row in rows.items() if subject == "jobs" and "-smoke-" in check}
        assert {row[0] for row in smoke.values()} == {"passed"} and len(smoke) == 2

    def test_a_killed_pod_restarts_its_whole_group_and_no_other(self, stack: Stack) -> None:
        before = groups(stack)
        victim = next(name for name in before["0"] if name.endswith("-1"))
        with watched(stack) as ready:
            stack.kubectl("delete", "pod", victim, f"--namespace={ON_FABRIC}", "--wait=false")
            wait_for(
                "the whole group is new",
                lambda: len(new := groups(stack).get("0", {})) == 2 and not {*new.values()} & {*before["0"].values()},
                SECONDS,
            )
            wait_for("all are ready again", lambda: ready_groups(stack) == 2, SECONDS)
        assert groups(stack)["1"] == before["1"]
        assert min(ready) >= 1

    def test_draining_a_node_keeps_the_budget_and_moves_the_group(self, stack: Stack) -> None:
        before = groups(stack)
        pods = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in stack.pods(ON_FABRIC, GROUP)}
        node = pods[next(iter(before["1"]))]
        drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
        with asked(stack), watched(stack) as ready:
            stack.kubectl(*drain)
            wait_for("all are ready again", lambda: ready_groups(stack) == 2, SECONDS)
        after = groups(stack)
        assert not {*after["1"].values()} & {*before["1"].values()}
        assert after["0"] == before["0"]
        assert node not in {pod["spec"]["nodeName"] for pod in stack.pods(ON_FABRIC, GROUP)}
        assert min(ready) >= 1
        stack.kubectl("uncordon", node)

    def test_an_update_leaves_a_group_ready_at_every_moment(self, stack: Stack) -> None:
        before = groups(stack)
        stack.change(1, maxNumSeqs=128)
        with asked(stack), watched(stack) as ready:
            stack.succeed("up")
        after = groups(stack)
        assert ready_groups(stack) == 2
        old, new = ({uid for pods in found.values() for uid in pods.values()} for found in (before, after))
        assert not old & new
        assert min(ready) >= 1

    def test_a_slow_start_delays_the_update(self, stack: Stack) -> None:
        stack.succeed("behave", "--model", SMALL, "slow-start=15s")
        stack.change(0, maxNumSeqs=64)
        started = time.monotonic()
        stack.succeed("up")
        assert time.monotonic() - started > 15
        stack.succeed("behave", "--model", SMALL)

    def test_a_model_that_generates_nothing_fails_the_update_with_the_servers_answer(self, stack: Stack) -> None:
        stack.succeed("behave", "--model", SMALL, "stall")
        stack.change(0, maxNumSeqs=32)
        run = stack.sandbox("up")
        output = run.stdout + run.stderr
        assert run.returncode != 0
        assert "took the request and generated nothing in" in output, output
        # The probes are green all the while.
        rows = stack.rows()
        assert rows[SMALL, "pods Ready"] == ("passed", "1 of 1 are Ready")
        assert rows[SMALL, "chat"] == ("FAILED", "/v1/chat/completions: no answer within 10 s")
        assert [row[0] for (_, check), row in rows.items() if f"{SMALL}-smoke-" in check] == ["FAILED"]
        stack.succeed("behave", "--model", SMALL)
        stack.succeed("up")
        assert "FAILED" not in {result for result, _ in stack.rows().values()}

    def test_a_preflight_names_the_pods_in_its_way_and_runs_once_they_are_gone(self, stack: Stack) -> None:
        run = stack.sandbox("preflight")
        assert run.returncode == 1
        assert "it needs 2 nodes of pool h200 with all their GPUs free (free now: " in run.stderr
        assert f"is used by {SERVING}/{SMALL}-" in run.stderr
        scale = ("scale", f"deployment/{SMALL}", f"--namespace={SERVING}")
        stack.kubectl(*scale, "--replicas=0")
        wait_for(
            "it is gone",
            lambda: not stack.pods(SERVING, f"app.kubernetes.io/name=vllm,app.kubernetes.io/instance={SMALL}"),
            SECONDS,
        )
        assert "not observable here: its outcome is simulated" in stack.succeed("preflight")
        assert {result for (_, check), (result, _) in stack.rows().items() if "nccl" in check} == {
            "not observable",
            "passed",
        }
        assert "unchanged" in stack.succeed("up"), "the Job is still the one that the Pulumi engine made"
        stack.kubectl(*scale, "--replicas=1")
