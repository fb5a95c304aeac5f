"""The cloud refuses what Google would, each rule by its own row."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cloud.resources import KINDS
from tests.sandbox.cloud_client import PROJECT, REGION, Built, Client, Refusal, changed, h200_platform
from tests.sandbox.cloud_rows import COMPUTE, DELETIONS, OTHERS, PROVIDER, UPDATES, Row
from tests.sandbox.cloud_rows_accelerators import ACCELERATORS
from tests.sandbox.cloud_rows_capacity import ACCEPTED, RESERVATIONS, RESERVED
from tests.sandbox.cloud_rows_gke import GKE
from tests.sandbox.cloud_rows_monitoring import MONITORING
from tests.sandbox.cloud_rows_storage import STORAGE

PLATFORM = h200_platform()


@dataclass
class Recorded:
    """A cloud's state file after each creation of the platform, so that a row can start right there."""

    states: dict[str, str]
    built: dict[str, Built]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    state_file = tmp_path_factory.mktemp("recorded") / "cloud.json"
    states: dict[str, str] = {}
    built: dict[str, Built] = {}
    with serve_cloud(state_file) as port, Client(port) as client:
        for name, each in PLATFORM.items():
            states[name] = state_file.read_text() if built else '{"format": 1, "resources": {}, "services": {}}'
            built[name] = client.create(each.token, name, each.inputs)
    states["end"] = state_file.read_text()
    return Recorded(states, built)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    state_file = tmp_path_factory.mktemp("rules") / "cloud.json"
    with serve_cloud(state_file) as port, Client(port) as client:
        yield client, state_file


def prepare(recorded: Recorded, state_file: Path, at: str, before: dict[str, dict[str, Any]]) -> None:
    state = json.loads(recorded.states[at])
    for name, changes in before.items():
        record = state["resources"][recorded.built[name].id]
        record["outputs"] = changed(record["outputs"], changes)
    state_file.write_text(json.dumps(state))


def named(row: Row) -> str:
    return f"{row.rule}: {row.message[:40]}"


@pytest.mark.parametrize("row", [*COMPUTE, *GKE, *ACCELERATORS, *MONITORING, *STORAGE], ids=named)
def test_google_refuses_to_create(row: Row, recorded: Recorded, shared: tuple[Client, Path]) -> None:
    client, state_file = shared
    prepare(recorded, state_file, row.resource, row.before)
    each = PLATFORM[row.resource]
    with pytest.raises(Refusal) as refused:
        client.create(each.token, row.resource, changed(each.inputs, row.changes))
    assert row.message in str(refused.value)


@pytest.fixture(scope="module")
def with_reservations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A cloud that holds certain reservations and no others."""
    folder = tmp_path_factory.mktemp("reservations")
    (folder / "scenario.yaml").write_text(RESERVATIONS)
    state_file = folder / "cloud.json"
    with serve_cloud(state_file, scenario=folder / "scenario.yaml") as port, Client(port) as client:
        yield client, state_file


@pytest.mark.parametrize("row", RESERVED, ids=named)
def test_google_gives_no_more_than_is_reserved(
    row: Row, recorded: Recorded, with_reservations: tuple[Client, Path]
) -> None:
    client, state_file = with_reservations
    prepare(recorded, state_file, row.resource, {})
    each = PLATFORM[row.resource]
    with pytest.raises(Refusal) as refused:
        client.create(each.token, row.resource, changed(each.inputs, row.changes))
    assert row.message in str(refused.value)


@pytest.mark.parametrize("changes", ACCEPTED, ids=["a sub-block", "none before it begins", "another project's"])
def test_google_gives_what_is_reserved(
    changes: dict[str, Any], recorded: Recorded, with_reservations: tuple[Client, Path]
) -> None:
    client, state_file = with_reservations
    prepare(recorded, state_file, "h200", {})
    made = client.create(PLATFORM["h200"].token, "h200", changed(PLATFORM["h200"].inputs, changes))
    assert made.id in json.loads(state_file.read_text())["resources"]


@pytest.mark.parametrize("row", UPDATES, ids=named)
def test_google_refuses_to_change(row: Row, recorded: Recorded, shared: tuple[Client, Path]) -> None:
    client, state_file = shared
    prepare(recorded, state_file, "end", row.before)
    each = PLATFORM[row.resource]
    with pytest.raises(Refusal) as refused:
        client.update(each.token, row.resource, recorded.built[row.resource], changed(each.inputs, row.changes))
    assert row.message in str(refused.value)


@pytest.mark.parametrize("row", DELETIONS, ids=named)
def test_google_refuses_to_delete(row: Row, recorded: Recorded, shared: tuple[Client, Path]) -> None:
    client, state_file = shared
    prepare(recorded, state_file, "end", row.before)
    built = recorded.built[row.resource]
    with pytest.raises(Refusal) as refused:
        client.delete(
            PLATFORM[row.resource].token,
            row.resource,
            Built(built.id, changed(built.inputs, row.changes), built.outputs),
        )
    assert row.message in str(refused.value)


@pytest.mark.parametrize(
    ("resource", "service", "title"),
    [
        ("vpc", "compute.googleapis.com", "Compute Engine API"),
        ("cluster", "container.googleapis.com", "Kubernetes Engine API"),
        ("account", "iam.googleapis.com", "Identity and Access Management (IAM) API"),
        ("channel", "monitoring.googleapis.com", "Cloud Monitoring API"),
        ("repository", "artifactregistry.googleapis.com", "Artifact Registry API"),
        ("role", "cloudresourcemanager.googleapis.com", "Cloud Resource Manager API"),
    ],
)
def test_nothing_works_before_its_api_is_enabled(
    resource: str, service: str, title: str, recorded: Recorded, shared: tuple[Client, Path]
) -> None:
    client, state_file = shared
    state = json.loads(recorded.states[resource])
    del state["services"][f"{PROJECT}/{service}"]
    state_file.write_text(json.dumps(state))
    with pytest.raises(Refusal, match=r"Error 403: .* has not been used in project sandbox-project before") as refused:
        client.create(PLATFORM[resource].token, resource, PLATFORM[resource].inputs)
    assert title in str(refused.value)


@pytest.mark.parametrize(("rule", "token", "inputs", "message"), OTHERS, ids=[row[0] for row in OTHERS])
def test_google_refuses_beside_what_is_there(
    rule: str, token: str, inputs: dict[str, Any], message: str, recorded: Recorded, shared: tuple[Client, Path]
) -> None:
    client, state_file = shared
    prepare(recorded, state_file, "end", {})
    if rule == "pool-gvnic-networks":
        for number in (1, 2, 3):
            name = f"h200-gvnic-{number}"
            subnet = {
                "name": name,
                "network": "h200-gvnic",
                "region": REGION,
                "ipCidrRange": f"10.{100 + number}.0.0/24",
            }
            client.create("gcp:compute/subnetwork:Subnetwork", name, subnet)
    with pytest.raises(Refusal) as refused:
        client.create(token, "another", inputs)
    assert message in str(refused.value)


def test_no_rule_goes_untested() -> None:
    known = {rule.id for kind in KINDS.values() for rule in kind.rules}
    created = (*COMPUTE, *GKE, *ACCELERATORS, *MONITORING, *STORAGE, *RESERVED)
    tested = {row.rule for row in (*created, *UPDATES, *DELETIONS)} | {row[0] for row in OTHERS}
    # Whether a bucket is empty is not in the state's file.
    tested = tested - {"pool-name-taken", PROVIDER} | {"bucket-empty"}
    assert tested == known


def test_every_rule_says_where_it_comes_from() -> None:
    assert all(rule.source for kind in KINDS.values() for rule in kind.rules)


@pytest.mark.parametrize(
    "spelling",
    [
        "h200-gvnic",
        "global/networks/h200-gvnic",
        f"projects/{PROJECT}/global/networks/h200-gvnic",
        f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/h200-gvnic",
        f"https://compute.googleapis.com/compute/beta/projects/{PROJECT}/global/networks/h200-gvnic",
        f"//compute.googleapis.com/projects/{PROJECT}/global/networks/h200-gvnic",
    ],
)
def test_a_network_is_found_by_every_spelling(spelling: str, recorded: Recorded, shared: tuple[Client, Path]) -> None:
    client, state_file = shared
    prepare(recorded, state_file, "gvnic-subnet", {})
    each = PLATFORM["gvnic-subnet"]
    built = client.create(each.token, "gvnic-subnet", {**each.inputs, "network": spelling})
    assert (
        built.outputs["network"]
        == f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/h200-gvnic"
    )
