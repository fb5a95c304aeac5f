"""What Google's provider does that no schema says: what it sends, what it does not, and what Google then has."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cloud.diff import differences
from sandbox.cloud.nodes import nodes_of_pool
from sandbox.cloud.resources import KINDS
from sandbox.cloud.resources.common import CLUSTER, NODE_POOL
from sandbox.cloud.store import Record, Store
from sandbox.cloud.tables import Tables
from sandbox.cloud.values import Properties, decode
from tests.sandbox.cloud_client import REMOVED, Built, Client, Refusal, build, changed, h200_platform

PLATFORM = h200_platform()
FREEZE = [{"exclusionUntilEndOfSupports": [{"enabled": True}]}]
WINDOW = {
    "startTime": "2026-01-03T01:00:00Z",
    "endTime": "2026-01-03T07:00:00Z",
    "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
}
EXCLUSION = {
    "exclusionName": "launch",
    "startTime": "2026-11-20T00:00:00Z",
    "endTime": "2026-12-01T00:00:00Z",
    "exclusionOptions": {"scope": "NO_UPGRADES"},
}
MAINTAINED = {"maintenancePolicy": {"recurringWindow": WINDOW, "maintenanceExclusions": [EXCLUSION]}}


class Google:
    """A cloud, what is built in it, and what it holds, whatever the provider says."""

    def __init__(self, client: Client, file: Path, changes: dict[str, dict[str, Any]]) -> None:
        self.client = client
        self._file = file
        inputs = {name: changed(each.inputs, changes.get(name, {})) for name, each in PLATFORM.items()}
        self.built = build(client, {name: type(each)(each.token, inputs[name]) for name, each in PLATFORM.items()})

    def held(self, name: str) -> Record:
        return Store(self._file).read().resources[self.built[name].id]

    def update(self, name: str, changes: dict[str, Any]) -> Built:
        built = self.built[name]
        self.built[name] = self.client.update(PLATFORM[name].token, name, built, changed(built.inputs, changes))
        return self.built[name]

    def shown(self, name: str) -> dict[str, Any]:
        answer = self.client.read(PLATFORM[name].token, name, self.built[name].id)
        return json.loads(json.dumps(decode(answer.properties)))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        yield client


def google(client: Client, tmp_path: Path, **changes: dict[str, Any]) -> Google:
    return Google(client, tmp_path / "cloud.json", changes)


@pytest.mark.parametrize(
    ("network", "private"),
    [
        ({"networkConfig": REMOVED}, True),
        ({}, False),
        ({"networkConfig": {"podRange": "pods"}}, False),
        ({"networkConfig.enablePrivateNodes": True}, True),
        ({"networkConfig.enablePrivateNodes": False}, False),
    ],
)
def test_a_network_config_that_does_not_say_private_makes_public_nodes(
    network: dict[str, Any], private: bool, client: Client, tmp_path: Path
) -> None:
    made = google(client, tmp_path, h200=network)
    held = made.held("h200")
    assert held.properties.flag("networkConfig.enablePrivateNodes") is private
    (node, *_) = nodes_of_pool(made.built["h200"].id, held, Tables())
    assert node["metadata"]["labels"]["cloud.google.com/private-node"] == str(private).lower()


def test_a_pool_keeps_the_maintenance_policy_it_was_made_with(client: Client, tmp_path: Path) -> None:
    made = google(client, tmp_path, h200={"maintenancePolicies": FREEZE})
    said = made.update("h200", {"maintenancePolicies": REMOVED, "nodeConfig.labels.tier": "gold"})
    assert "maintenancePolicies" not in said.outputs, "the provider claims that it is gone"
    assert made.held("h200").outputs["maintenancePolicies"] == FREEZE
    assert made.held("h200").properties.text("nodeConfig.labels.tier") == "gold"
    assert made.shown("h200")["maintenancePolicies"] == FREEZE, "a refresh would see it"


def test_a_pool_does_not_get_one_later_either(client: Client, tmp_path: Path) -> None:
    made = google(client, tmp_path)
    assert made.update("h200", {"maintenancePolicies": FREEZE}).outputs["maintenancePolicies"] == FREEZE
    assert "maintenancePolicies" not in made.held("h200").outputs


def test_exclusions_that_go_with_their_window_stay_and_nobody_sees_them(client: Client, tmp_path: Path) -> None:
    made = google(client, tmp_path, cluster=MAINTAINED)
    made.update("cluster", {"maintenancePolicy": REMOVED})
    assert made.held("cluster").outputs["maintenancePolicy"] == {"maintenanceExclusions": [EXCLUSION]}
    assert "maintenancePolicy" not in made.shown("cluster")


def test_exclusions_that_go_before_their_window_are_gone(client: Client, tmp_path: Path) -> None:
    made = google(client, tmp_path, cluster=MAINTAINED)
    made.update("cluster", {"maintenancePolicy.maintenanceExclusions": REMOVED})
    made.update("cluster", {"maintenancePolicy": REMOVED})
    assert "maintenancePolicy" not in made.held("cluster").outputs


def test_what_an_update_leaves_to_google_stays_as_google_has_it(client: Client, tmp_path: Path) -> None:
    made = google(client, tmp_path, h200={"management": {"autoRepair": False, "autoUpgrade": False}})
    made.update("h200", {"management": REMOVED, "nodeCount": 1})
    assert made.held("h200").outputs["management"] == {"autoRepair": False, "autoUpgrade": False}


def test_a_renamed_policy_is_asked_for_by_its_new_name(client: Client, tmp_path: Path) -> None:
    made = google(client, tmp_path)
    inputs = changed(made.built["policy"].inputs, {"name": "renamed"})
    answer = client.diff(PLATFORM["policy"].token, "policy", made.built["policy"], inputs)
    assert list(answer.replaces) == []
    with pytest.raises(Refusal, match="resourcePolicies/renamed' was not found"):
        made.update("policy", {"name": "renamed"})


@pytest.mark.parametrize(
    ("token", "inputs", "answer", "verdict"),
    [
        (
            NODE_POOL,
            {"nodeConfig": {"shieldedInstanceConfig": {"enableSecureBoot": False, "enableIntegrityMonitoring": False}}},
            {"nodeConfig": {}},
            {
                "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring": True,
                "nodeConfig.shieldedInstanceConfig.enableSecureBoot": True,
            },
        ),
        (
            NODE_POOL,
            {"placementPolicy": {"type": "COMPACT", "policyName": "rack"}},
            {"placementPolicy": {"policyName": "rack"}},
            {"placementPolicy.type": False},
        ),
        (
            NODE_POOL,
            {"maintenancePolicies": [{"exclusionUntilEndOfSupports": [{"enabled": False}]}]},
            {"name": "h200"},
            {"maintenancePolicies[0].exclusionUntilEndOfSupports[0].enabled": False},
        ),
        (NODE_POOL, {"nodeConfig": {"spot": False}}, {"nodeConfig": {}}, {}),
        (CLUSTER, {"secretManagerConfig": {"enabled": False}}, {"name": "h200"}, {}),
    ],
)
def test_a_block_that_google_leaves_out_of_its_answer_differs_for_ever(
    token: str, inputs: dict[str, Any], answer: dict[str, Any], verdict: dict[str, bool]
) -> None:
    found = differences(KINDS[token], Properties(inputs), Properties(inputs), Properties(answer))
    assert {each.path: each.replaces for each in found} == verdict
