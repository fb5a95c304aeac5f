"""What goes wrong at Google on demand: what of it is done, what the program is told, and that it can go on."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.protobuf import empty_pb2

from sandbox.cloud import InvalidTable, serve_cloud
from tests.sandbox.cloud_client import REMOVED, Client, Refusal, build, changed, h200_platform, tear_down

PLATFORM = h200_platform()
POOL = PLATFORM["h200"]
BEFORE = {name: each for name, each in PLATFORM.items() if name != "h200"}


@contextmanager
def cloud(folder: Path, faults: str) -> Generator[Client]:
    """A cloud with this scenario of faults."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(f"faults: [{faults}]")
    with serve_cloud(folder / "cloud.json", scenario=scenario) as port, Client(port) as client:
        yield client


def recorded(folder: Path) -> set[str]:
    return {id_.rsplit("/", 1)[-1] for id_ in json.loads((folder / "cloud.json").read_text())["resources"]}


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("stockOut", "ZONE_RESOURCE_POOL_EXHAUSTED: The zone 'projects/sandbox-project/zones/us-central1-b' does not"),
        ("quota", "QUOTA_EXCEEDED"),
        ("fail", "Error 503"),
        ("denied", "Error creating NodePool h200: googleapi: Error 403: The caller does not have permission"),
        ("expired", "Error creating NodePool h200: googleapi: Error 401: Request had invalid authentication"),
        ("fail, message: out of order", "Error creating NodePool h200: out of order"),
    ],
)
def test_a_pool_that_cannot_be_had_is_not_there_and_can_be_had_later(
    tmp_path: Path, outcome: str, message: str
) -> None:
    fault = f"{{stage: create, type: NodePool, name: h200, outcome: {outcome}}}"
    with cloud(tmp_path, fault) as client:
        built = build(client, BEFORE)
        with pytest.raises(Refusal) as refused:
            client.create(POOL.token, "h200", POOL.inputs)
        assert message in str(refused.value)
        assert "h200" not in recorded(tmp_path)
        built["h200"] = client.create(POOL.token, "h200", POOL.inputs)
        tear_down(client, PLATFORM, built)
        assert recorded(tmp_path) == set()


def test_it_befalls_the_request_that_is_named_as_often_as_is_said(tmp_path: Path) -> None:
    fault = "{stage: create, type: 'gcp:compute/network:Network', nth: 2, times: 2, outcome: fail}"
    with cloud(tmp_path, fault) as client:
        client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
        outcomes: list[bool] = []
        for number in range(5):
            try:
                client.create(PLATFORM["vpc"].token, "vpc", {**PLATFORM["vpc"].inputs, "name": f"vpc-{number}"})
                outcomes.append(True)
            except Refusal:
                outcomes.append(False)
    assert outcomes == [True, False, False, True, True]


def test_a_lost_answer_leaves_what_was_made(tmp_path: Path) -> None:
    with cloud(tmp_path, "{stage: create, type: Network, outcome: lostResponse}") as client:
        client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
        with pytest.raises(Refusal, match="connection reset by peer"):
            client.create(PLATFORM["vpc"].token, "vpc", PLATFORM["vpc"].inputs)
        assert recorded(tmp_path) == {"h200-vpc"}
        with pytest.raises(Refusal, match="alreadyExists"):
            client.create(PLATFORM["vpc"].token, "vpc", PLATFORM["vpc"].inputs)


def test_updates_and_deletions_fail_too(tmp_path: Path) -> None:
    faults = "{stage: update, type: NodePool, outcome: stockOut}, {stage: delete, type: NodePool, outcome: fail}"
    with cloud(tmp_path, faults) as client:
        built = build(client, PLATFORM)
        with pytest.raises(Refusal, match="Error updating NodePool h200: Google Compute Engine: ZONE_RESOURCE"):
            client.update(POOL.token, "h200", built["h200"], changed(POOL.inputs, {"nodeCount": 3}))
        with pytest.raises(Refusal, match="Error deleting NodePool h200"):
            client.delete(POOL.token, "h200", built["h200"])
        assert "h200" in recorded(tmp_path)


def test_what_cannot_be_read_is_neither_gone_nor_changed(tmp_path: Path) -> None:
    with cloud(tmp_path, "{stage: read, type: Network, name: h200-vpc, outcome: denied}") as client:
        client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
        vpc = client.create(PLATFORM["vpc"].token, "vpc", PLATFORM["vpc"].inputs)
        with pytest.raises(Refusal, match=f'Error when reading or editing Network "{vpc.id}": googleapi: Error 403'):
            client.read(PLATFORM["vpc"].token, "vpc", vpc.id)
        assert client.read(PLATFORM["vpc"].token, "vpc", vpc.id).id == vpc.id


def test_a_delay_holds_up_one_request_and_no_other(tmp_path: Path) -> None:
    slow, quick = PLATFORM["gvnic-vpc"], PLATFORM["vpc"]
    with cloud(tmp_path, "{stage: create, type: Network, name: h200-gvnic, outcome: delay, seconds: 1}") as client:
        client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
        started = time.monotonic()
        thread = threading.Thread(target=lambda: client.create(slow.token, "gvnic-vpc", slow.inputs))
        thread.start()
        client.create(quick.token, "vpc", quick.inputs)
        assert time.monotonic() - started < 0.9
        thread.join()
        assert time.monotonic() - started >= 1
        assert recorded(tmp_path) == {"h200-vpc", "h200-gvnic"}


@pytest.mark.parametrize(("outcome", "there"), [("hang", set[str]()), ("silent", {"h200-vpc"})])
def test_a_request_without_an_answer_ends_when_the_engine_gives_up(
    tmp_path: Path, outcome: str, there: set[str]
) -> None:
    refusals: list[str] = []

    def create(client: Client) -> None:
        try:
            client.create(PLATFORM["vpc"].token, "vpc", PLATFORM["vpc"].inputs)
        except Refusal as refusal:
            refusals.append(str(refusal))

    with cloud(tmp_path, f"{{stage: create, type: Network, outcome: {outcome}}}") as client:
        client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
        thread = threading.Thread(target=create, args=[client])
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        client.stub.Cancel(empty_pb2.Empty())
        thread.join(5)
    assert refusals == ["Error creating Network h200-vpc: context canceled"]
    assert recorded(tmp_path) == there


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("faults: [{stage: create, type: NodePool, outcome: melt}]", "faults.0.outcome"),
        ("fault: []", "fault\n"),
        ("reservations: [{name: h200}]", "reservations.0.zone"),
        ("families: [", "while parsing"),
        (None, "No such file"),
    ],
)
def test_a_scenario_that_is_none_is_named_with_what_is_wrong(tmp_path: Path, text: str | None, complaint: str) -> None:
    file = tmp_path / "scenario.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidTable) as refused, serve_cloud(tmp_path / "cloud.json", scenario=file):
        pass
    assert str(file) in str(refused.value) and complaint in str(refused.value)


def test_a_pool_that_is_out_of_stock_keeps_its_autoscaled_twin(tmp_path: Path) -> None:
    scaled = changed(POOL.inputs, {"name": "later", "nodeCount": REMOVED, "autoscaling": {"maxNodeCount": 2}})
    with cloud(tmp_path, "{stage: create, type: NodePool, name: h200, times: null, outcome: stockOut}") as client:
        build(client, BEFORE)
        client.create(POOL.token, "later", scaled)
        for _ in range(2):
            with pytest.raises(Refusal, match="ZONE_RESOURCE_POOL_EXHAUSTED"):
                client.create(POOL.token, "h200", POOL.inputs)
