"""The preflight's own script, run in stand-ins for the images of Google's tests: it can fail, and says why."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.manifests.nccl_preflight import preflight
from components.manifests.nccl_verdict import TOO_LITTLE
from planning.plan import PreflightPlan, ServerNccl
from sandbox.cluster.nccl import facts
from sandbox.cluster.nccl.image import NcclPod
from tests.sandbox.waiting import wait_for
from tests.unit.serving import ONE_GPU, platform

pytestmark = pytest.mark.timeout(300)

ACCELERATORS = {
    "h100": "us-central1-a",
    "h100-mega": "us-central1-a",
    "h200": "us-central1-b",
    "b200": "us-central1-b",
    "gb200": "us-central1-a",
    "gb300": "us-central1-b",
}
"""One of every fabric, with a zone: TCPX, TCPXO, RoCE with gIB, and NVLink domains."""


def plan_of(accelerator: str) -> PreflightPlan:
    capacity = {"kind": "reservation", "name": "reserved", "block": "block", "subBlock": "sub-block"}
    pool = {"name": "gpu", "accelerator": accelerator, "zone": ACCELERATORS[accelerator], "nodes": 2}
    (plan,) = platform(ONE_GPU, pool={**pool, "capacity": capacity}).preflights
    return plan


@dataclass(frozen=True)
class Run:
    """Both pods of a preflight, as processes."""

    pods: tuple[NcclPod, ...]
    running: tuple[subprocess.Popen[bytes], ...]
    log: Path

    def behave(self, text: str) -> None:
        self.pods[0].behaviour.write_text(text, encoding="utf-8")

    def end(self) -> tuple[int, str]:
        """Exit status and output of the pod that measures."""
        status = self.running[0].wait(timeout=240)
        return status, self.log.read_text(encoding="utf-8")

    def lose(self, index: int) -> None:
        """As when the node is taken away."""
        self.pods[index].leave()


@contextmanager
def started(plan: PreflightPlan, folder: Path, behaviour: str = "", **variables: str) -> Iterator[Run]:
    container: dict[str, Any] = preflight(plan, "0a1b2c3d")["spec"]["template"]["spec"]["containers"][0]
    written = {each["name"]: each["value"] for each in container["env"]} | variables
    image = facts.nccl_image(container["image"])
    assert image is not None, container["image"]
    pods: list[NcclPod] = []
    running: list[subprocess.Popen[bytes]] = []
    for index, host in enumerate(written["HOSTS"].split()):
        pod = NcclPod(image, folder / str(index), folder / "hosts", host, folder / "behaviour")
        pod.prepare()
        pods.append(pod)
    pods[0].behaviour.write_text(behaviour, encoding="utf-8")
    for index, pod in enumerate(pods):
        environment = pod.environment({**written, "JOB_COMPLETION_INDEX": str(index)})
        line = pod.command([*container["command"], *container["args"]])
        with (folder / f"{index}.log").open("wb") as log:
            one = subprocess.Popen(line, env=environment, start_new_session=True, stdout=log, stderr=log)
        running.append(one)
    try:
        yield Run(tuple(pods), tuple(running), folder / "0.log")
    finally:
        for process in running:
            subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], check=False, capture_output=True)
            process.wait()


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_what_google_measured_passes(accelerator: str, tmp_path: Path) -> None:
    with started(plan_of(accelerator), tmp_path) as run:
        status, output = run.end()
    assert status == 0, output
    assert "GB/s between two nodes, and" in output.splitlines()[-1]


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_the_speed_of_tcp_fails_and_says_what_to_do(accelerator: str, tmp_path: Path) -> None:
    plan = plan_of(accelerator)
    with started(plan, tmp_path, "busbw=4") as run:
        status, output = run.end()
    assert status == TOO_LITTLE, output
    said = output.splitlines()[-1]
    assert said.startswith(f"error: the fabric of pool {plan.node_pool} has too little bandwidth: 4 GB/s")
    assert f"{plan.floor_gbytes_per_second:g} GB/s are the floor ({plan.floor_reason})" in said
    assert said.endswith("write preflight: {minimumBusBandwidth: 4}")


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_a_test_without_its_last_line_fails(accelerator: str, tmp_path: Path) -> None:
    with started(plan_of(accelerator), tmp_path, "silent") as run:
        status, output = run.end()
    assert status == TOO_LITTLE
    assert "the test ended without its last line, Avg bus bandwidth" in output.splitlines()[-1]


@pytest.mark.parametrize("accelerator", ACCELERATORS)
@pytest.mark.parametrize("behaviour", ["crash", "wrong"])
def test_a_test_that_dies_each_time_fails(accelerator: str, behaviour: str, tmp_path: Path) -> None:
    with started(plan_of(accelerator), tmp_path, behaviour) as run:
        status, output = run.end()
    assert status == 1, output
    assert output.splitlines()[-1] == "error: the test died 4 times"


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_a_node_that_is_taken_away_is_waited_for_and_is_no_verdict(accelerator: str, tmp_path: Path) -> None:
    with started(plan_of(accelerator), tmp_path, "hang") as run:
        wait_for("it measures", lambda: "# nThread" in run.log.read_text(encoding="utf-8"))
        other = run.pods[1]
        run.lose(1)
        wait_for("it breaks off", lambda: "ORTE has lost communication" in run.log.read_text(encoding="utf-8"))
        run.behave("")
        # A pod of the same name starts an SSH server on another node.
        other.hosts.joinpath(other.host).touch()
        status, output = run.end()
    assert status == 0, output


def test_a_lower_floor_of_the_stack_file_lets_it_pass(tmp_path: Path) -> None:
    lower = plan_of("h200").model_copy(update={"floor_gbytes_per_second": 3.5})
    with started(lower, tmp_path, "busbw=4") as run:
        status, output = run.end()
    assert status == 0, output


def test_both_nccls_are_named_and_a_difference_is_a_warning(tmp_path: Path) -> None:
    servers = (
        ServerNccl(server="other", image="vllm/vllm-openai:v0.33.0", nccl="2.30.7"),
        ServerNccl(server="same", image="example.org/vllm:v1", nccl="2.28.7"),
    )
    plan = plan_of("h100-mega").model_copy(update={"servers": servers})
    with started(plan, tmp_path) as run:
        status, output = run.end()
    assert status == 0, output
    said = [line for line in output.splitlines() if line.startswith("preflight: ")]
    assert said[:-1] == [
        f"preflight: measured with NCCL 2.28.7 of {plan.image}",
        "preflight: other will use NCCL 2.30.7 of vllm/vllm-openai:v0.33.0",
        "preflight: warning: NCCL 2.30.7 of other was not measured",
        "preflight: same will use NCCL 2.28.7 of example.org/vllm:v1",
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"NCCL_NVLSTREE_MAX_CHUNKSIZE": "1"}, "NCCL_NVLSTREE_MAX_CHUNKSIZE is 1"),
        ({"NCCL_PROTO": "Simple"}, "NCCL_PROTO is Simple"),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, "CUDA_VISIBLE_DEVICES is 0,1"),
        ({"NCCL_TUNER_CONFIG_PATH": "/nowhere/a3plus_tuner_config.textproto"}, "is not the file that goes with"),
    ],
)
def test_half_a_profile_is_aborted_by_the_guest_configuration_checker(
    change: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    with started(plan_of("h100-mega"), tmp_path, **change) as run:
        status, output = run.end()
    assert status == 1 and complaint in output


def test_what_is_not_in_the_image_is_not_found(tmp_path: Path) -> None:
    plan = plan_of("h100-mega")
    elsewhere = plan.model_copy(update={"measure": plan.measure.replace("all_gather_perf", "no_such_perf")})
    with started(elsewhere, tmp_path) as run:
        status, output = run.end()
    assert status == 1 and "unable to launch" in output
