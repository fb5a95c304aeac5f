"""Weights that a node keeps: fetched once, and no server asks the hub again, however it starts."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.sandbox.conftest import Checkout, copy_checkout
from tests.sandbox.stacks import objects
from tests.sandbox.waiting import wait_for

pytestmark = pytest.mark.timeout(900)

STACK = "cached"
POOL = {"name": "h200", "accelerator": "h200", "zone": "us-central1-b", "capacity": {"kind": "spot"}}
PAIR = {"name": "pair", "model": "google/gemma-3-27b-it", "tensorParallel": 2, "weights": {"kind": "nodeCache"}}
GROUP = {"name": "group", "model": "google/gemma-3-27b-it", "tensorParallel": 8, "pipelineParallel": 2}
SHORTER = {"maxModelLen": 32768}
OTHER = {"name": "other", "model": "Qwen/Qwen3-32B", "weights": {"kind": "nodeCache"}}


class Stack:
    """The stack in a checkout, and the hub as its pods see it."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout

    def write(self, nodes: int, *models: dict[str, Any]) -> None:
        config = {
            "pulumi:disable-default-providers": ["*"],
            "inference-platform:region": "us-central1",
            "inference-platform:nodePools": [{**POOL, "nodes": nodes}],
            "inference-platform:acknowledgeIdle": {"h200": 16},
            "inference-platform:models": list(models),
        }
        text = yaml.safe_dump({"config": config})
        (self.checkout.folder / f"Pulumi.{STACK}.yaml").write_text(text, encoding="utf-8")

    def up(self, nodes: int, *models: dict[str, Any]) -> str:
        self.write(nodes, *models)
        return self.checkout.succeed("up", STACK)

    def hub(self, how: str) -> None:
        command = [".venv/bin/python", "-m", "sandbox", "behave", "--stack", STACK, "--hub", how]
        subprocess.run(command, cwd=self.checkout.folder, check=True, capture_output=True)

    def asked(self) -> list[str]:
        """The requests that the hub has got so far."""
        (file,) = (self.checkout.folder / ".sandbox" / STACK / "clusters").glob("*/logs/hub-requests.log")
        return file.read_text(encoding="utf-8").splitlines()

    def servers(self) -> dict[str, dict[str, Any]]:
        """The pods of model servers that are there to stay, by uid."""
        pods = objects(self.checkout, STACK, "pods")
        found = [pod for pod in pods if pod["metadata"]["namespace"].startswith("serving")]
        running = [pod for pod in found if pod["status"]["phase"] == "Running"]
        return {pod["metadata"]["uid"]: pod for pod in running if "deletionTimestamp" not in pod["metadata"]}

    def logs(self) -> list[str]:
        """What each server's container that fetches weights has said last."""
        said: list[str] = []
        for pod in self.servers().values():
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            words = f"logs {name} --namespace={namespace} --container=weights"
            said.append(self.checkout.succeed("kubectl", STACK, ARGS=words).splitlines()[-1])
        return said


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(copy_checkout(tmp_path_factory.mktemp("checkout")))
    yield made
    made.checkout.make("destroy", STACK)


def _ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def _nodes(pods: dict[str, dict[str, Any]]) -> set[str]:
    return {pod["spec"]["nodeName"] for pod in pods.values()}


def test_a_second_pod_of_a_node_comes_up_without_the_hub_and_nothing_is_left(stack: Stack) -> None:
    stack.up(1, PAIR)
    before = stack.asked()
    assert len(before) > 5 and any("/resolve/" in line for line in before)
    stack.hub("unreachable")
    stack.up(1, {**PAIR, "replicas": 2})
    pods = stack.servers()
    assert len(pods) == 2 and len(_nodes(pods)) == 1 and all(map(_ready, pods.values()))
    assert f"{PAIR['model']}: complete, nothing is asked for" in stack.logs()
    assert stack.asked() == before
    stack.checkout.succeed("destroy", STACK)
    assert not (stack.checkout.folder / ".sandbox").exists()
    assert stack.checkout.processes() == []


@pytest.mark.slow
class TestEveryStart:
    """The tests of this class build on each other, in this order."""

    def test_each_node_fetches_once(self, stack: Stack) -> None:
        stack.up(3, PAIR, GROUP)
        lists = [line for line in stack.asked() if "/api/models/" in line]
        assert len(lists) == len(_nodes(stack.servers())) == 3

    def test_a_group_that_restarts_asks_for_nothing(self, stack: Stack) -> None:
        before, old = stack.asked(), stack.servers()
        stack.hub("unreachable")
        leader = "delete pod group-group-0 --namespace=serving-rdma"
        stack.checkout.succeed("kubectl", STACK, ARGS=leader)

        def again() -> bool:
            group = [pod for pod in stack.servers().values() if pod["metadata"]["namespace"] == "serving-rdma"]
            fresh = [pod for pod in group if pod["metadata"]["uid"] not in old]
            # A headless worker has no probe, and is Ready at once.
            return len(fresh) == 2 and all(map(_ready, fresh))

        wait_for("both pods of the group are new and Ready", again, seconds=180)
        assert stack.asked() == before

    def test_an_update_asks_for_nothing(self, stack: Stack) -> None:
        before, old = stack.asked(), stack.servers()
        stack.up(3, {**PAIR, **SHORTER}, {**GROUP, **SHORTER})

        def new() -> bool:
            pods = stack.servers()
            return len(pods) == 3 and not old.keys() & pods.keys() and all(map(_ready, pods.values()))

        wait_for("all pods are new and Ready", new, seconds=180)
        assert stack.asked() == before

    def test_a_new_node_fetches(self, stack: Stack) -> None:
        before, nodes = stack.asked(), _nodes(stack.servers())
        stack.hub("")
        stack.up(4, {**PAIR, **SHORTER, "replicas": 2}, {**GROUP, **SHORTER})
        assert len(_nodes(stack.servers()) - nodes) == 1
        assert len(stack.asked()) == len(before) + len(before) // 3

    def test_what_is_wrong_is_said_and_the_hub_is_waited_for(self, stack: Stack) -> None:
        stack.hub("unreachable")
        stack.write(4, {**PAIR, **SHORTER, "replicas": 2}, {**GROUP, **SHORTER}, OTHER)
        said = "error: the hub cannot be reached"
        with up_meanwhile(stack) as going:
            wait_for("the pod says so", lambda: said in stack.checkout.make("status", STACK).stdout, seconds=240)
            assert "Init:" in stack.checkout.make("status", STACK).stdout
            verified = stack.checkout.make("verify", STACK)
            assert verified.returncode != 0 and said in verified.stdout
            stack.hub("")
            assert going.wait(timeout=300) == 0
        assert all(map(_ready, stack.servers().values()))


@contextmanager
def up_meanwhile(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """Brings it up while the test goes on; stopped where the test fails."""
    command = [".venv/bin/python", "-m", "sandbox", "up", "--stack", STACK]
    with subprocess.Popen(command, cwd=stack.checkout.folder, stdout=subprocess.DEVNULL) as going:
        try:
            yield going
        finally:
            if going.poll() is None:
                going.send_signal(signal.SIGINT)
