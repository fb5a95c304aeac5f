"""Init containers in Python really run: with a node's folders, a way out, and a kubelet's patience."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import checkpoints
from sandbox.cluster import ControlPlane
from sandbox.cluster.processes import recorded
from tests.sandbox.plane_objects import apply, get, node, processes_with, two_nodes
from tests.sandbox.waiting import wait_for

KEEP = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1].removeprefix("--folder="))
print("found", sorted(each.name for each in folder.iterdir()), os.environ["WHO"], open(os.environ["SECRET"]).read())
(folder / sys.argv[2]).write_text("kept")
if sys.argv[2] == "bad":
    sys.exit("this one is bad")
"""
ASK = """
import json, sys, urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
def ask(url):
    try:
        with urllib.request.build_opener(Stay).open(url, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 302:
            return ask(error.headers["Location"])
        sys.exit(f"{error.code} {error.headers['X-Error-Code']}")
    except OSError as error:
        sys.exit(f"unreachable: {error}")
said = json.loads(ask("https://huggingface.co/api/models/acme/tiny/revision/main?blobs=true"))
for row in said["siblings"]:
    content = ask(f"https://huggingface.co/acme/tiny/resolve/{said['sha']}/{row['rfilename']}")
    print(row["rfilename"], len(content) == row["size"])
"""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with two_nodes(tmp_path_factory.mktemp("init") / "clusters") as plane:
        yield plane


def pod(name: str, program: str, *words: str, where: str = "node-1", **more: Any) -> dict[str, Any]:
    first = {
        "name": "first",
        "image": "example.org/image",
        "command": ["python3", "-c", program],
        "args": list(words),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [
            {"name": "SECRET", "value": "/run/token/token"},
            {"name": "WHO", "valueFrom": {"secretKeyRef": {"name": "token", "key": "token"}}},
        ],
        "volumeMounts": [{"name": "cache", "mountPath": "/var/cache"}, {"name": "token", "mountPath": "/run/token"}],
    }
    sidecar = {"name": "beside", "image": "example.org/daemon", "restartPolicy": "Always"}
    spec = {
        "nodeName": where,
        "initContainers": [first, sidecar],
        "containers": [{"name": "main", "image": "example.org/image"}],
        "volumes": [
            {"name": "cache", "hostPath": {"path": "/mnt/cache"}},
            {"name": "token", "secret": {"secretName": "token"}},
        ],
        **more,
    }
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def status(plane: ControlPlane, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = get(plane, "pod", name)["status"].get("initContainerStatuses", [])
    return found[0] if found else {}


def ready(plane: ControlPlane, name: str) -> None:
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")


def failed(plane: ControlPlane, name: str) -> str:
    """What a container said when it failed, as the pod's status has it."""

    def said() -> str:
        seen = status(plane, name)
        ended = seen.get("state", {}).get("terminated") or seen.get("lastState", {}).get("terminated") or {}
        return ended.get("message", "")

    wait_for(f"{name} fails", lambda: said() != "")
    return said()


def logged(plane: ControlPlane, name: str) -> str:
    return plane.kubectl("logs", name, "--container=first")


def test_its_program_runs_with_its_variables_and_its_nodes_folder_stays(plane: ControlPlane) -> None:
    for name in ("one", "two"):
        apply(plane, pod(name, KEEP, "--folder=/var/cache", name))
        ready(plane, name)
    assert logged(plane, "one") == "found [] hf_known hf_known\n"
    assert logged(plane, "two") == "found ['one'] hf_known hf_known\n"
    apply(plane, pod("elsewhere", KEEP, "--folder=/var/cache", "elsewhere", where="node-2"))
    ready(plane, "elsewhere")
    assert logged(plane, "elsewhere") == "found [] hf_known hf_known\n"
    done = status(plane, "one")
    assert (done["restartCount"], done["state"]["terminated"]["exitCode"]) == (0, 0)
    plane.kubectl("delete", "pod", "one", "two", "elsewhere")


def test_a_node_of_the_same_name_begins_with_an_empty_disk(plane: ControlPlane) -> None:
    apply(plane, pod("before", KEEP, "--folder=/var/cache", "before", where="node-2"))
    ready(plane, "before")
    plane.kubectl("delete", "node", "node-2")
    plane.kubectl("delete", "pod", "before", "--force", "--ignore-not-found")
    plane.apply_nodes([node("node-2", {}, [])])
    apply(plane, pod("after", KEEP, "--folder=/var/cache", "after", where="node-2"))
    ready(plane, "after")
    assert logged(plane, "after") == "found [] hf_known hf_known\n"
    plane.kubectl("delete", "pod", "after")


def test_one_that_fails_is_started_again_later_and_later_and_its_pod_never_starts(plane: ControlPlane) -> None:
    apply(plane, pod("bad", KEEP, "--folder=/var/cache", "bad"))
    wait_for("it has failed three times", lambda: status(plane, "bad").get("restartCount", 0) >= 2)
    wait_for("it waits", lambda: "waiting" in status(plane, "bad")["state"])
    waits = status(plane, "bad")
    assert waits["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert waits["lastState"]["terminated"]["exitCode"] == 1
    assert "this one is bad" in waits["lastState"]["terminated"]["message"]
    assert "Init:CrashLoopBackOff" in plane.kubectl("get", "pod", "bad")
    found = get(plane, "pod", "bad")["status"]
    assert found["phase"] == "Pending" and "running" not in found["containerStatuses"][0]["state"]
    assert "this one is bad" in plane.kubectl("logs", "bad", "--container=first", "--previous")
    plane.kubectl("delete", "pod", "bad")


def test_one_of_a_pod_that_never_starts_again_fails_with_it(plane: ControlPlane) -> None:
    apply(plane, pod("once", KEEP, "--folder=/var/cache", "bad", restartPolicy="Never"))
    plane.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s", "pod/once")
    assert "this one is bad" in failed(plane, "once")
    plane.kubectl("delete", "pod", "once")


def test_a_variable_that_comes_from_nothing_is_named(plane: ControlPlane) -> None:
    lost = pod("lost", KEEP, "--folder=/var/cache", "lost")
    reference = {"name": "missing", "key": "token"}
    lost["spec"]["initContainers"][0]["env"].append({"name": "LOST", "valueFrom": {"secretKeyRef": reference}})
    apply(plane, lost)
    wait_for("it waits", lambda: status(plane, "lost").get("state", {}).get("waiting", {}).get("message") is not None)
    waits = status(plane, "lost")["state"]["waiting"]
    assert (waits["reason"], waits["message"]) == ("CreateContainerConfigError", 'secret "missing" not found')
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "missing"}, "stringData": {"token": "late"}}
    apply(plane, secret)
    ready(plane, "lost")
    plane.kubectl("delete", "pod", "lost")


def test_its_process_ends_with_its_pod(plane: ControlPlane) -> None:
    apply(plane, pod("endless", "import time; time.sleep(600)  # without end", "/var/cache"))

    def running() -> list[str]:
        return [line for line in processes_with(plane.directory) if "# without end" in line]

    wait_for("it runs", lambda: len(running()) == 1)
    plane.kubectl("delete", "pod", "endless", "--wait=false")
    wait_for("no process is left", lambda: not running())


def test_nothing_but_the_standard_library_is_there(plane: ControlPlane) -> None:
    apply(plane, pod("imports", "import sandbox, pulumi", "/var/cache"))
    assert "ModuleNotFoundError: No module named 'sandbox'" in failed(plane, "imports")
    plane.kubectl("delete", "pod", "imports")


def test_the_hub_has_real_files_for_it_and_writes_down_who_asked(plane: ControlPlane) -> None:
    apply(plane, pod("asks", ASK))
    ready(plane, "asks")
    names = sorted(checkpoints.files("acme/tiny"))
    assert sorted(logged(plane, "asks").splitlines()) == [f"{name} True" for name in names]
    asked = (plane.directory / "logs" / "hub-requests.log").read_text().splitlines()
    large = sum(file.lfs for file in checkpoints.files("acme/tiny").values())
    assert len(asked) == 1 + len(names) + large
    plane.kubectl("delete", "pod", "asks")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("unreachable", "unreachable: <urlopen error Tunnel connection failed: 503 huggingface.co does not answer>"),
        ("gated", "401 GatedRepo"),
        ("forbidden=config.json", "403 "),
        ("truncated=model-00001-of-00002.safetensors", "IncompleteRead"),
    ],
)
def test_the_hub_misbehaves_on_demand(plane: ControlPlane, behaviour: str, said: str) -> None:
    name, file = behaviour.partition("=")[0], plane.directory.parent / "hub-behaviour"
    file.write_text(behaviour, encoding="utf-8")
    apply(plane, pod(name, ASK))
    assert said in failed(plane, name)
    file.unlink()
    ready(plane, name)
    plane.kubectl("delete", "pod", name)


def policy(name: str, egress: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": {"app": "kept-in"}}, "policyTypes": ["Egress"], "egress": egress},
    }


def test_a_network_policy_that_lets_no_pod_out_keeps_its_program_in(plane: ControlPlane) -> None:
    apply(plane, policy("nothing", []))
    apply(plane, pod("kept-in", ASK))
    assert "no network policy of default lets the pod out to huggingface.co:443" in failed(plane, "kept-in")
    everywhere = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}
    apply(plane, policy("internet", [{"to": [everywhere], "ports": [{"protocol": "TCP", "port": 443}]}]))
    ready(plane, "kept-in")
    plane.kubectl("delete", "networkpolicies", "--all")
    plane.kubectl("delete", "pod", "kept-in")


def test_a_disk_can_be_small(plane: ControlPlane) -> None:
    fill = "import sys; open(sys.argv[1] + '/large', 'wb').write(bytes(200_000)); print('all of it is there')"
    file = plane.directory.parent / "node-behaviour"
    file.write_text("disk=100KiB", encoding="utf-8")
    apply(plane, pod("full", fill, "/var/cache"))
    assert "No space left on device" in failed(plane, "full")
    file.unlink()
    ready(plane, "full")
    assert "all of it is there" in logged(plane, "full")
    plane.kubectl("delete", "pod", "full")


def test_nothing_is_left_of_pods_that_are_gone(plane: ControlPlane) -> None:
    wait_for("no pod is there", lambda: get(plane, "pods")["items"] == [])
    wait_for("their own folders are gone", lambda: not list((plane.directory / "volumes").glob("*")))
    assert sorted(each.name.partition(".")[0] for each in (plane.directory / "nodes").iterdir()) == ["node-1", "node-2"]


def test_a_killed_supervisor_leaves_no_program(plane: ControlPlane) -> None:
    apply(plane, pod("outlives", "import time; time.sleep(600)  # outlives", "/var/cache"))

    def running() -> list[str]:
        return [line for line in processes_with(plane.directory) if "# outlives" in line]

    wait_for("it runs", lambda: len(running()) == 1)
    (supervisor,) = [each for each in recorded(plane.directory) if each.name == "supervisor"]
    supervisor.send(signal.SIGKILL)
    wait_for("no process is left", lambda: not running())
    plane.destroy()
    assert not plane.directory.exists()
