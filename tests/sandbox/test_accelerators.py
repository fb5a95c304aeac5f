"""The stack of every accelerator comes up in the sandbox, on nodes as GKE makes them, and goes without a trace.

Each stack is brought up once, looked at and taken down; a few do so at the same time, since most of it is waiting.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog import ACCELERATORS
from sandbox.cloud.tables import NicKind, Tables
from tests.sandbox.conftest import CHECKOUT, Checkout, copy_checkout
from tests.sandbox.stacks import applied_again

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

AT_ONCE = 3
STACKS = sorted(file.stem for file in CHECKOUT.glob("catalog/accelerators/*.yaml"))
"""One stack file for each accelerator, by its name."""
OTHER_WAYS = {file.name.split(".")[1]: file for file in Path(__file__).parent.glob("other_ways/*.yaml")}
"""H200 with other fabrics and capacities than its stack file's."""

# An accelerator that nobody sells: a catalogue entry, its label in the installer's, a row for the stand-in and a stack
# file; no code.
INSTALLER = "catalog/releases/installers/gib-1.1.1.yaml"
FICTIONAL = {
    "accelerator.yaml": "catalog/accelerators/z9.yaml",
    "sandbox.yaml": "sandbox.yaml",
    "Pulumi.fictional.yaml": "Pulumi.fictional.yaml",
}

GPU_TAINT = ("nvidia.com/gpu", "present", "NoSchedule")
ARM_TAINT = ("kubernetes.io/arch", "arm64", "NoSchedule")


@dataclass(frozen=True)
class Node:
    """What GKE's documentation and autoscaler say of a machine: not read from the program's catalogue."""

    machine: str
    accelerator: str
    gpus: int
    vcpus: int
    memory_gib: int
    provisioning: str | None = "standard"
    """As the node's label has it; None: the row does not say, since the stack file chooses."""
    arch: str = "amd64"
    ephemeral_gib: int | None = None
    """The GiB of local SSDs; None: the storage is on the boot disk, whose size the stack chooses."""
    networks: tuple[str, ...] | None = ()
    """What pods can ask for by Network objects; None: the row does not say."""
    rdma_devices: int = 0
    """What pods can claim instead."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


RDMA = tuple(f"rdma-{rail}" for rail in range(8))
DRANET = {"cloud.google.com/gke-networking-dra-driver": "true"}


def domain(name: str) -> dict[str, str]:
    block = f"{name}-block-0001"
    return {
        "cloud.google.com/reservation-name": name,
        "cloud.google.com/reservation-affinity": "specific",
        "cloud.google.com/reservation-blocks": block,
        "cloud.google.com/reservation-subblocks": f"{block}-subblock-0001",
    }


NODES = {
    "l4": Node("g2-standard-12", "nvidia-l4", 1, 12, 48),
    "rtx-pro-6000": Node("g4-standard-48", "nvidia-rtx-pro-6000", 1, 48, 180),
    "a100-40gb": Node("a2-highgpu-1g", "nvidia-tesla-a100", 1, 12, 85),
    "a100-80gb": Node("a2-ultragpu-1g", "nvidia-a100-80gb", 1, 12, 170, ephemeral_gib=375),
    "h100": Node(
        "a3-highgpu-8g",
        "nvidia-h100-80gb",
        8,
        208,
        1872,
        "spot",
        ephemeral_gib=6000,
        networks=tuple(f"vpc{number}" for number in range(1, 5)),
    ),
    "h100-mega": Node(
        "a3-megagpu-8g",
        "nvidia-h100-mega-80gb",
        8,
        208,
        1872,
        "spot",
        ephemeral_gib=6000,
        networks=tuple(f"vpc{number}" for number in range(1, 9)),
    ),
    "h200": Node(
        "a3-ultragpu-8g", "nvidia-h200-141gb", 8, 224, 2952, "spot", ephemeral_gib=12000, networks=("gvnic-1", *RDMA)
    ),
    "b200": Node(
        "a4-highgpu-8g", "nvidia-b200", 8, 224, 3968, "spot", ephemeral_gib=12000, networks=("gvnic-1", *RDMA)
    ),
    "gb200": Node(
        "a4x-highgpu-4g",
        "nvidia-gb200",
        4,
        140,
        884,
        arch="arm64",
        ephemeral_gib=12000,
        networks=("gvnic-1", *RDMA[:4]),
        labels=domain("gb200"),
    ),
    "gb300": Node(
        "a4x-maxgpu-4g-metal",
        "nvidia-gb300",
        4,
        144,
        960,
        arch="arm64",
        ephemeral_gib=12000,
        rdma_devices=8,
        labels={**domain("gb300"), **DRANET, "cloud.google.com/gke-dpv2-unified-cni": "cni-migration"},
    ),
}


def expected_of(stack: str) -> Node:
    """The row of a stack. An accelerator without one of its own is held to the stand-in's table, which is Google's."""
    if stack in NODES:
        return NODES[stack]
    accelerator = ACCELERATORS[stack]
    found = Tables().machine(accelerator.default_machine_type)
    assert found, f"sandbox/cloud/machines.yaml has no {accelerator.default_machine_type}"
    family, shape = found
    return Node(
        accelerator.default_machine_type,
        family.accelerator or "",
        shape.accelerator_count,
        shape.vcpus,
        int(shape.memory_gib),
        provisioning=None,
        arch=family.arch,
        ephemeral_gib=shape.local_ssd.count * shape.local_ssd.gib if shape.local_ssd else None,
        networks=None,
        rdma_devices=sum(nic.count * nic.devices for nic in shape.extra_nics if nic.kind is NicKind.MRDMA_METAL),
    )


@dataclass(frozen=True)
class Journey:
    """What was seen of one stack on its way up and down."""

    up: tuple[int, str]
    nodes: list[dict[str, Any]]
    pods: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    slices: list[dict[str, Any]]
    again: str
    """Why an object of the stack could not be made once more; empty if none was refused."""
    down: tuple[int, str]
    left: list[str]


def travel(checkout: Checkout, stack: str) -> Journey:
    up = checkout.make("up", stack)
    seen = look(checkout, stack)
    again = refused_again(checkout, stack) if up.returncode == 0 else ""
    down = checkout.make("destroy", stack)
    home = checkout.folder / ".sandbox" / stack
    left = [str(path) for path in (home, home.with_suffix(".lock")) if path.exists()]
    left += checkout.processes(home)
    return Journey(
        up=(up.returncode, up.stdout + up.stderr),
        nodes=[each for each in seen if each["kind"] == "Node"],
        pods=[each for each in seen if each["kind"] == "Pod"],
        claims=[each for each in seen if each["kind"] == "ResourceClaim"],
        slices=[each for each in seen if each["kind"] == "ResourceSlice"],
        again=again,
        down=(down.returncode, down.stdout + down.stderr),
        left=left,
    )


def refused_again(checkout: Checkout, stack: str) -> str:
    _, run = applied_again(checkout, stack)
    return run.stderr if run.returncode else ""


def look(checkout: Checkout, stack: str) -> list[dict[str, Any]]:
    kinds = "nodes,pods,resourceclaims,resourceslices"
    found = checkout.make("kubectl", stack, ARGS=f"get {kinds} --all-namespaces --output=json")
    return json.loads(found.stdout)["items"] if found.returncode == 0 else []


@dataclass(frozen=True)
class OutOfStock:
    """A stack whose machines could not be obtained at first."""

    first: tuple[int, str]
    second: tuple[int, str]
    down: tuple[int, str]


def travel_out_of_stock(checkout: Checkout) -> OutOfStock:
    (checkout.folder / "out-of-stock.yaml").write_text(
        "faults: [{stage: create, type: NodePool, name: l4, outcome: stockOut}]"
    )
    runs = [
        checkout.make("up", "dev", SANDBOX_SCENARIO="out-of-stock.yaml"),
        checkout.make("up", "dev"),
        checkout.make("destroy", "dev"),
    ]
    return OutOfStock(*((run.returncode, run.stdout + run.stderr) for run in runs))


class Journeys:
    """Those of the tests that were selected, under way since the first of them asked."""

    def __init__(self, pool: ThreadPoolExecutor, shipped: Checkout, other: Checkout, selected: set[str]) -> None:
        self.of = {stack: pool.submit(travel, shipped, stack) for stack in STACKS if stack in selected}
        self.of |= {stack: pool.submit(travel, other, stack) for stack in OTHER_WAYS if stack in selected}
        self.fictional = pool.submit(travel, other, "fictional") if "fictional" in selected else None
        self.out_of_stock = pool.submit(travel_out_of_stock, other) if "stock_out" in selected else None


@pytest.fixture(scope="module")
def journeys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journeys]:
    items = [item for item in request.session.items if item.path == Path(__file__)]
    parameters = [getattr(item, "callspec", None) for item in items]
    selected = {name for each in parameters if each for name in each.params.values()}
    selected |= {word for word in ("fictional", "stock_out") if any(word in item.name for item in items)}
    shipped = copy_checkout(tmp_path_factory.mktemp("accelerators"))
    other = copy_checkout(tmp_path_factory.mktemp("fictional"))
    for name, target in FICTIONAL.items():
        shutil.copyfile(other.folder / "tests/sandbox/fictional" / name, other.folder / target)
    installer = other.folder / INSTALLER
    installer.write_text(installer.read_text().replace("gkeLabels: [", "gkeLabels: [zeta-z9-64gb, "))
    for file in OTHER_WAYS.values():
        shutil.copy(file, other.folder)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        yield Journeys(pool, shipped, other, selected)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def journey(stack: str, journeys: Journeys) -> Journey:
    return journeys.of[stack].result()


def accelerators(journey: Journey) -> list[dict[str, Any]]:
    return [node for node in journey.nodes if "cloud.google.com/gke-accelerator" in node["metadata"]["labels"]]


def test_up_and_destroy_succeed_and_leave_nothing(journey: Journey) -> None:
    assert journey.up[0] == 0, journey.up[1][-5000:]
    assert journey.down[0] == 0, journey.down[1][-5000:]
    assert journey.left == []


def test_every_object_can_be_made_again_as_after_a_kill(journey: Journey) -> None:
    assert journey.again == ""


def test_nodes_carry_the_labels_taints_and_resources_that_gke_gives_the_machine(stack: str, journey: Journey) -> None:
    expected = expected_of(stack)
    nodes = accelerators(journey)
    assert nodes
    for node in nodes:
        assert labels(expected).items() <= node["metadata"]["labels"].items()
        taints = {(each["key"], each["value"], each["effect"]) for each in node["spec"]["taints"]}
        assert taints == ({GPU_TAINT, ARM_TAINT} if expected.arch == "arm64" else {GPU_TAINT})
        assert node["status"]["nodeInfo"]["architecture"] == expected.arch
        capacity, allocatable = node["status"]["capacity"], node["status"]["allocatable"]
        assert (capacity["nvidia.com/gpu"], allocatable["nvidia.com/gpu"]) == (str(expected.gpus),) * 2
        assert capacity["cpu"] == str(expected.vcpus)
        # The kernel keeps a 64th for its page tables, and some 100 MiB beside it.
        left_by_page_tables = expected.memory_gib * 63 / 64
        assert left_by_page_tables - 0.5 < gib(capacity["memory"]) < left_by_page_tables
        if expected.ephemeral_gib:
            # The file system over the local SSDs keeps less than a fiftieth for itself: of one disk more than of 32.
            assert 0.98 < gib(capacity["ephemeral-storage"]) / expected.ephemeral_gib < 1
        offered = {name.removeprefix("networking.gke.io.networks/") for name in allocatable if "networks/" in name}
        if expected.networks is not None:
            assert offered == {f"{network}{suffix}" for network in expected.networks for suffix in ("", ".IP")}


def gib(quantity: str) -> float:
    """As the API server writes it, by the largest unit that divides it."""
    number, unit = quantity[:-2], quantity[-2:]
    return int(number) * 1024.0 ** ("Ki", "Mi", "Gi", "Ti").index(unit) / 1024**2


def labels(expected: Node) -> dict[str, str]:
    return {
        "cloud.google.com/gke-accelerator": expected.accelerator,
        "cloud.google.com/gke-accelerator-count": str(expected.gpus),
        **({"cloud.google.com/gke-provisioning": expected.provisioning} if expected.provisioning else {}),
        "node.kubernetes.io/instance-type": expected.machine,
        "kubernetes.io/arch": expected.arch,
        **expected.labels,
    }


def test_every_pod_is_placed_by_the_scheduler_and_runs(journey: Journey) -> None:
    phases = {pod["metadata"]["name"]: pod["status"]["phase"] for pod in journey.pods}
    assert phases
    assert {name: phase for name, phase in phases.items() if phase not in ("Running", "Succeeded")} == {}
    assert all(pod["spec"].get("schedulerName") == "default-scheduler" for pod in journey.pods)


def test_every_claim_is_allocated_to_a_pod(stack: str, journey: Journey) -> None:
    for claim in journey.claims:
        assert claim["status"]["allocation"]["devices"]["results"], claim["metadata"]["name"]
        assert claim["status"]["reservedFor"], claim["metadata"]["name"]
    claimed = {
        result["driver"] for claim in journey.claims for result in claim["status"]["allocation"]["devices"]["results"]
    }
    published = {each["spec"]["driver"] for each in journey.slices}
    expected = {"compute-domain.nvidia.com"} if expected_of(stack).arch == "arm64" else set[str]()
    expected |= {"dra.net"} if expected_of(stack).rdma_devices else set()
    assert claimed == published == expected


def test_rdma_devices_are_published_where_pods_claim_them(stack: str, journey: Journey) -> None:
    slices = [each["spec"] for each in journey.slices if each["spec"]["driver"] == "dra.net"]
    assert len(slices) == (len(accelerators(journey)) if expected_of(stack).rdma_devices else 0)
    for each in slices:
        rdma = [device for device in each["devices"] if device["attributes"]["rdma"]["bool"]]
        assert len(rdma) == expected_of(stack).rdma_devices


def test_every_accelerator_has_a_stack_file() -> None:
    assert all((CHECKOUT / f"Pulumi.{stack}.yaml").is_file() for stack in STACKS)
    assert set(NODES) <= set(STACKS)


@pytest.mark.parametrize("other_way", sorted(OTHER_WAYS))
def test_a_server_over_two_nodes_comes_up_the_other_ways_too(other_way: str, journeys: Journeys) -> None:
    journey = journeys.of[other_way].result()
    test_up_and_destroy_succeed_and_leave_nothing(journey)
    test_every_pod_is_placed_by_the_scheduler_and_runs(journey)
    assert len(accelerators(journey)) == 2
    fabric = yaml.safe_load(OTHER_WAYS[other_way].read_text())["config"]["inference-platform:nodePools"][0]["fabric"]
    allocated = [claim for claim in journey.claims if claim["status"]["allocation"]["devices"]["results"]]
    assert len(allocated) == (0 if fabric == "networkObjects" else 2)
    assert {node["metadata"]["labels"]["cloud.google.com/private-node"] for node in journey.nodes} == {"true"}


def test_a_fictional_accelerator_needs_no_code(journeys: Journeys) -> None:
    assert journeys.fictional
    journey = journeys.fictional.result()
    assert journey.up[0] == 0, journey.up[1][-5000:]
    nodes = accelerators(journey)
    assert len(nodes) == 2
    for node in nodes:
        assert node["metadata"]["labels"]["cloud.google.com/gke-accelerator"] == "zeta-z9-64gb"
        networks = {f"networking.gke.io.networks/{name}" for name in ("gvnic-1", "rdma-0", "rdma-1")}
        assert networks <= node["status"]["allocatable"].keys()
    assert {pod["status"]["phase"] for pod in journey.pods} <= {"Running", "Succeeded"}
    assert journey.down[0] == 0, journey.down[1][-5000:]
    assert journey.left == []


def test_a_stock_out_fails_one_up_and_the_next_goes_on(journeys: Journeys) -> None:
    assert journeys.out_of_stock
    journey = journeys.out_of_stock.result()
    code, output = journey.first
    assert code != 0
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in output and "Traceback" not in output
    assert journey.second[0] == 0, journey.second[1][-5000:]
    assert journey.down[0] == 0, journey.down[1][-5000:]
