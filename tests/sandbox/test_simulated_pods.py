"""Pods of model servers and Jobs in the sandbox: Ready by their own probes, reachable, as honest as a kubelet."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.cluster import ClusterError, ControlPlane
from sandbox.cluster.nccl import facts
from sandbox.profile import read_profile
from sandbox.tools import ClusterTools, cluster_tools
from tests.sandbox.conftest import CHECKOUT
from tests.sandbox.plane_objects import PLAIN, apply, get, node, processes_with
from tests.sandbox.waiting import wait_for

MODEL = "google/gemma-3-1b-it"
PROBE = {"httpGet": {"path": "/v1/models", "port": "http"}, "periodSeconds": 5}
ASK_FOR_A_TOKEN = """
import json, sys, urllib.error, urllib.request
body = json.dumps({"model": "google/gemma-3-1b-it", "prompt": "a", "max_tokens": 1}).encode()
request = urllib.request.Request(sys.argv[1] + "/v1/completions", body, {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(request, timeout=2).read().decode())
except urllib.error.HTTPError as error:
    sys.exit(f"no token: {error.code} {error.read().decode()}")
except OSError as error:
    sys.exit(f"no token: {error}")
"""


def server(name: str, behaviour: str = "", **probes: Any) -> dict[str, Any]:
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.33.0",
        "command": ["vllm", "serve"],
        "args": [MODEL, "--port", "8000"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "startupProbe": PROBE,
        "readinessProbe": PROBE,
        **probes,
    }
    metadata = {"name": name, "labels": {"app": name}, "annotations": {"sandbox/behaviour": behaviour}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 8000, "targetPort": "http"}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def job(name: str, kind: str, *command: str, **spec: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "example.org/image",
        "command": list(command),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    template = {
        "metadata": {"labels": {"inference-platform/job": kind}},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def smoke(name: str, target: str) -> dict[str, Any]:
    url = f"http://{target}.default.svc.cluster.local:8000"
    return job(name, "smoke", "python3", "-c", ASK_FOR_A_TOKEN, url)


def is_ready(plane: ControlPlane, name: str) -> bool:
    conditions = get(plane, "pod", name)["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def pod_of(plane: ControlPlane, name: str) -> dict[str, Any]:
    (pod,) = get(plane, "pods", f"--selector=job-name={name}")["items"]
    return pod


def ready_endpoints(plane: ControlPlane, name: str) -> list[str]:
    slices = get(plane, "endpointslices", f"--selector=kubernetes.io/service-name={name}")["items"]
    endpoints = [each for slice_ in slices for each in slice_.get("endpoints") or []]
    return [each["addresses"][0] for each in endpoints if each["conditions"].get("ready")]


def stream(plane: ControlPlane, name: str) -> Iterator[str]:
    """The events of a completion, as they come, by the way that works on GKE too."""
    path = f"/api/v1/namespaces/default/services/http:{name}:8000/proxy/v1/completions"
    command = plane.kubectl_command("create", "--raw", path, "--filename=-")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdin is not None and asking.stdout is not None
        asking.stdin.write(json.dumps({"model": MODEL, "prompt": "a", "stream": True}))
        asking.stdin.close()
        yield from filter(None, (line.strip() for line in asking.stdout))


def behave(plane: ControlPlane, name: str, behaviour: str) -> None:
    plane.kubectl("annotate", "--overwrite", "pod", name, f"sandbox/behaviour={behaviour}")
    # The supervisor looks once a second when nothing is under way.
    time.sleep(1.5)


@pytest.fixture(scope="module")
def tools() -> ClusterTools:
    return cluster_tools(print)


@pytest.fixture(scope="module")
def plane(tools: ClusterTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("pods") / "plane", tools, read_profile(CHECKOUT).workloads)
    plane.start(PLAIN)
    plane.apply_nodes([node("node-1", {}, [])])
    apply(plane, server("steady"), service("steady"))
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/steady")
    yield plane
    plane.destroy()


def test_a_server_answers_through_the_api_servers_service_proxy(plane: ControlPlane) -> None:
    path = "/api/v1/namespaces/default/services/http:steady:8000/proxy"
    wait_for("the Service has its endpoint", lambda: "10.244." in plane.kubectl("get", "endpointslices"))
    models = json.loads(plane.kubectl("get", "--raw", f"{path}/v1/models"))
    assert [card["id"] for card in models["data"]] == [MODEL]
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3})
    answer = json.loads(plane.kubectl("create", "--raw", f"{path}/v1/chat/completions", "--filename=-", stdin=body))
    assert answer["usage"]["completion_tokens"] == 3


def test_a_server_waits_for_its_token_and_an_event_says_why(plane: ControlPlane) -> None:
    pod = server("gated", env=[{"name": "HF_TOKEN_PATH", "value": "/run/token/token"}])
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "token", "mountPath": "/run/token"}]
    pod["spec"]["volumes"] = [{"name": "token", "secret": {"secretName": "gated"}}]
    apply(plane, pod)
    plane.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "--timeout=60s", "pod/gated")

    def told() -> str:
        events = get(plane, "events", "--field-selector=reason=FailedMount")["items"]
        return " ".join(event["message"] for event in events)

    wait_for("the event is there", lambda: "secrets 'gated' not found" in told())
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gated"}, "stringData": {"other": "a"}}
    apply(plane, secret)
    wait_for("it has a Secret, and no token", lambda: "finds no token at /run/token/token" in told())
    assert not is_ready(plane, "gated")
    apply(plane, {**secret, "stringData": {"token": "hf_gated"}})
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/gated")
    mounted = plane.directory / "mounts" / get(plane, "pod", "gated")["metadata"]["uid"]
    assert (mounted / "token" / "token").read_text() == "hf_gated"
    plane.kubectl("delete", "pod", "gated")
    wait_for("what it had mounted is gone", lambda: not mounted.exists())


def test_a_slow_start_delays_readiness(plane: ControlPlane) -> None:
    apply(plane, server("slow", "slow-start=4s"))
    started = time.monotonic()
    wait_for("it runs", lambda: get(plane, "pod", "slow")["status"].get("phase") == "Running")
    assert not is_ready(plane, "slow")
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/slow")
    assert time.monotonic() - started > 3
    plane.kubectl("delete", "pod", "slow")


def test_a_server_whose_probe_asks_for_what_it_has_not_is_never_ready(plane: ControlPlane) -> None:
    wrong = {**PROBE, "httpGet": {"path": "/healthz", "port": "http"}}
    apply(
        plane,
        server("wrong-path", readinessProbe=wrong),
        server("wrong-port", readinessProbe={"tcpSocket": {"port": 1}}),
    )
    names = ("wrong-path", "wrong-port")
    wait_for("both run", lambda: all(get(plane, "pod", name)["status"].get("phase") == "Running" for name in names))
    time.sleep(1.5)
    assert not any(is_ready(plane, name) for name in names)
    plane.kubectl("delete", "pod", *names)


def test_a_server_is_known_by_its_model_before_it_exists(plane: ControlPlane) -> None:
    file = plane.directory.parent / "behaviours.json"
    file.write_text(json.dumps({"late": "slow-start=600s"}), encoding="utf-8")
    pod = server("late")
    pod["metadata"] = {"name": "late", "labels": {"app.kubernetes.io/instance": "late"}}
    apply(plane, pod)
    wait_for("it runs", lambda: get(plane, "pod", "late")["status"].get("phase") == "Running")
    time.sleep(1.5)
    assert not is_ready(plane, "late")
    file.unlink()
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/late")
    plane.kubectl("delete", "pod", "late")


def test_a_dead_engine_is_restarted_by_its_liveness_probe(plane: ControlPlane) -> None:
    liveness = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    apply(plane, server("dead", livenessProbe=liveness))
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/dead")
    plane.kubectl("annotate", "--overwrite", "pod", "dead", "sandbox/behaviour=fail")
    wait_for("it restarts", lambda: get(plane, "pod", "dead")["status"]["containerStatuses"][0]["restartCount"] > 0)
    plane.kubectl("delete", "pod", "dead")


def test_logs_and_commands_of_what_never_ran_are_refused_with_the_reason(plane: ControlPlane) -> None:
    with pytest.raises(ClusterError, match="this node is simulated: it runs no containers"):
        plane.kubectl("logs", "steady")
    with pytest.raises(ClusterError, match="this node is simulated: it runs no containers"):
        plane.kubectl("exec", "steady", "--", "nvidia-smi")


def test_a_pod_that_is_deleted_finishes_what_it_began(plane: ControlPlane) -> None:
    going = server("going", "slow-tokens=0.3s", lifecycle={"preStop": {"sleep": {"seconds": 10}}})
    going["spec"]["containers"][0]["args"] += ["--shutdown-timeout", "45"]
    going["spec"]["terminationGracePeriodSeconds"] = 75
    apply(plane, going, service("going"))
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/going")
    wait_for("the Service has its endpoint", lambda: bool(ready_endpoints(plane, "going")))
    events = stream(plane, "going")
    first = next(events)
    plane.kubectl("delete", "pod", "going", "--wait=false")
    wait_for("no Service leads to it any more", lambda: not ready_endpoints(plane, "going"))
    load = plane.kubectl("get", "--raw", "/api/v1/namespaces/default/pods/http:going:8000/proxy/load")
    assert json.loads(load) == {"server_load": 1}
    assert "This" in first and list(events)[-1] == "data: [DONE]"
    plane.kubectl("wait", "--for=delete", "--timeout=60s", "pod/going")


def test_a_pod_whose_request_never_ends_is_killed_after_its_grace_period(plane: ControlPlane) -> None:
    endless = server("endless", "stall", lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    endless["spec"]["containers"][0]["args"] += ["--shutdown-timeout", "600"]
    endless["spec"]["terminationGracePeriodSeconds"] = 20
    apply(plane, endless, service("endless"))
    plane.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/endless")
    wait_for("the Service has its endpoint", lambda: bool(ready_endpoints(plane, "endless")))
    begun = threading.Thread(target=lambda: list(stream(plane, "endless")))
    begun.start()
    time.sleep(1)
    plane.kubectl("delete", "pod", "endless", "--timeout=30s")
    begun.join(timeout=30)
    assert not begun.is_alive()


def test_a_smoke_test_really_asks_and_its_job_completes(plane: ControlPlane) -> None:
    apply(plane, smoke("alive", "steady"))
    plane.kubectl("wait", "--for=condition=Complete", "--timeout=60s", "job/alive")
    assert '"text": "This"' in plane.kubectl("logs", "job/alive")


@pytest.mark.parametrize(
    ("name", "target", "behaviour", "reason"),
    [
        ("stalled", "steady", "stall", "no token: timed out"),
        ("failed", "steady", "fail", "no token: 500 .*The server had an error while processing your request"),
        ("nobody", "nobody", "", "no token: 503 there is no Service nobody in namespace default"),
    ],
)
def test_a_smoke_test_without_a_token_fails_with_the_servers_answer(
    plane: ControlPlane, name: str, target: str, behaviour: str, reason: str
) -> None:
    behave(plane, "steady", behaviour)
    apply(plane, smoke(name, target))
    plane.kubectl("wait", "--for=condition=Failed", "--timeout=60s", f"job/{name}")
    behave(plane, "steady", "")
    pod = pod_of(plane, name)
    terminated = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (pod["status"]["phase"], terminated["exitCode"]) == ("Failed", 1)
    assert re.search(reason, terminated["message"])


@pytest.mark.parametrize(("status", "condition"), [(0, "Complete"), (42, "Failed")])
def test_a_preflight_ends_as_its_own_script_and_says_that_it_is_simulated(
    plane: ControlPlane, status: int, condition: str
) -> None:
    name = f"preflight-{status}"
    measuring = job(name, "preflight", "/bin/bash", "-ec", f"/sbin/ldconfig; echo measured > /tmp/x; exit {status}")
    (container,) = measuring["spec"]["template"]["spec"]["containers"]
    container["image"] = "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/nccl-plugin-gib-diagnostic:v1.1.1"
    apply(plane, measuring)
    plane.kubectl("wait", f"--for=condition={condition}", "--timeout=60s", f"job/{name}")
    pod = pod_of(plane, name)
    assert pod["metadata"]["annotations"]["sandbox/outcome"] == "simulated"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == status
    assert "# Simulated: no GPU ran." in plane.kubectl("logs", f"job/{name}")


def test_a_server_that_the_guest_configuration_checker_refuses_never_starts(plane: ControlPlane) -> None:
    refused = server("half-a-profile")
    file = "/usr/local/nvidia/lib64/a3plus_guest_config.textproto"
    refused["spec"]["containers"][0]["env"] = [{"name": facts.CHECKER_FILE, "value": file}]
    apply(plane, refused)

    def state() -> dict[str, Any]:
        found: list[dict[str, Any]] = get(plane, "pod", "half-a-profile")["status"].get("containerStatuses", [])
        return found[0] if found else {}

    wait_for("its container dies", lambda: "waiting" in state().get("state", {}))
    assert state()["lastState"]["terminated"]["exitCode"] == facts.ABORTED
    assert "guest config checker" in state()["state"]["waiting"]["message"]
    assert not is_ready(plane, "half-a-profile")
    plane.kubectl("delete", "pod", "half-a-profile")


def test_a_preflight_of_an_unknown_image_fails(plane: ControlPlane) -> None:
    apply(plane, job("unknown-image", "preflight", "/bin/bash", "-ec", "true"))
    plane.kubectl("wait", "--for=condition=Failed", "--timeout=60s", "job/unknown-image")
    terminated = pod_of(plane, "unknown-image")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert terminated["exitCode"] == 127 and "does not know what is in" in terminated["message"]


def test_a_program_other_than_python_fails_and_says_why(plane: ControlPlane) -> None:
    apply(plane, job("curl", "smoke", "curl", "http://steady:8000"))
    plane.kubectl("wait", "--for=condition=Failed", "--timeout=60s", "job/curl")
    terminated = pod_of(plane, "curl")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["message"]) == (
        127,
        "the sandbox runs nothing but python3, and not 'curl'",
    )


def test_a_smoke_test_whose_node_is_drained_is_run_again(plane: ControlPlane) -> None:
    waiting = job("drained", "smoke", "python3", "-c", "import time; time.sleep(600)")
    ignored = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    waiting["spec"]["podFailurePolicy"] = {"rules": [ignored]}
    apply(plane, waiting)

    def names() -> list[str]:
        found = get(plane, "pods", "--selector=job-name=drained")["items"]
        running = [pod for pod in found if pod["status"].get("phase") == "Running"]
        return [pod["metadata"]["name"] for pod in running if "deletionTimestamp" not in pod["metadata"]]

    wait_for("it runs", lambda: len(names()) == 1)
    (first,) = names()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first, "namespace": "default"}}
    path = f"/api/v1/namespaces/default/pods/{first}/eviction"
    plane.kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(eviction))
    wait_for("another one runs", lambda: len(names()) == 1 and names() != [first])
    assert get(plane, "job", "drained")["status"].get("failed", 0) == 0
    plane.kubectl("delete", "job", "drained")


def test_a_smoke_test_ends_with_its_pod_and_at_its_deadline(plane: ControlPlane) -> None:
    forever = ("python3", "-c", "import time; print('waiting', flush=True); time.sleep(600)  # endless")
    apply(plane, job("deleted", "smoke", *forever), job("late", "smoke", *forever, activeDeadlineSeconds=1))

    def running() -> list[str]:
        return [line for line in processes_with(plane.directory) if "# endless" in line]

    wait_for("both run", lambda: len(running()) > 0)
    plane.kubectl("wait", "--for=condition=Failed", "--timeout=60s", "job/late")
    plane.kubectl("delete", "job", "deleted")
    wait_for("no process is left", lambda: not running())
