"""The program that fetches weights, in pods of one node, when the hub and the disk are not as they should be."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.manifests.programs import source
from sandbox.cluster import ControlPlane
from tests.sandbox.plane_objects import apply, two_nodes
from tests.sandbox.test_init_containers import failed, logged, pod, ready

FIRST, LAST = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with two_nodes(tmp_path_factory.mktemp("weights") / "clusters") as plane:
        yield plane


def fetching(name: str, repository: str) -> dict[str, Any]:
    words = ["/var/cache", repository, "--kernels=k", "--room=1", "--pause=0.01"]
    made = pod(name, source("fetch_weights"), *words)
    made["spec"]["initContainers"][0]["env"].append({"name": "HF_TOKEN_PATH", "value": "/run/token/token"})
    return made


@pytest.mark.parametrize(
    ("whose", "how", "said"),
    [
        ("hub", "unreachable", "error: the hub cannot be reached: <urlopen error Tunnel connection failed: 503"),
        ("hub", f"truncated={FIRST}", f"error: acme/truncated: {FIRST} is truncated: "),
        ("hub", f"corrupt={LAST}", f"error: acme/corrupt: {LAST} is corrupt: its digest is not the hub's"),
        ("hub", "forbidden=config.json", "error: acme/forbidden: config.json is forbidden (403)"),
        ("hub", "gated", "is forbidden: accept the licence at https://huggingface.co/acme/gated with the account of"),
        ("node", "disk=120KiB", ".safetensors cannot be written: No space left on device"),
    ],
)
def test_what_is_wrong_is_in_the_pods_status_and_later_the_rest_is_fetched(
    plane: ControlPlane, whose: str, how: str, said: str
) -> None:
    name, file = how.partition("=")[0], plane.directory.parent / f"{whose}-behaviour"
    file.write_text(how, encoding="utf-8")
    apply(plane, fetching(name, f"acme/{name}"))
    assert said in failed(plane, name)
    file.unlink()
    ready(plane, name)
    assert f"acme/{name}: 6 files are complete" in logged(plane, name)
    plane.kubectl("delete", "pod", name)


def test_a_second_pod_of_the_node_asks_the_hub_for_nothing(plane: ControlPlane) -> None:
    apply(plane, fetching("first", "acme/shared"))
    ready(plane, "first")
    requests = plane.directory / "logs" / "hub-requests.log"
    before = requests.read_text()
    file = plane.directory.parent / "hub-behaviour"
    file.write_text("unreachable", encoding="utf-8")
    apply(plane, fetching("second", "acme/shared"))
    ready(plane, "second")
    file.unlink()
    assert logged(plane, "second") == "acme/shared: complete, nothing is asked for\n"
    assert requests.read_text() == before and "acme/shared" in before
