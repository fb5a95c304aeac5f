"""The stand-in cloud keeps Google's rules, foretells what it will do, and remembers what it did."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from sandbox.cloud import serve_cloud
from sandbox.cloud.values import UNKNOWN, decode, encode
from tests.sandbox.cloud_client import (
    PROJECT,
    REGION,
    REMOVED,
    ZONE,
    Built,
    Client,
    Inputs,
    Refusal,
    build,
    changed,
    h200_platform,
    tear_down,
)

PLATFORM = h200_platform()


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "cloud" / "cloud.json"


@pytest.fixture
def client(state_file: Path) -> Iterator[Client]:
    with serve_cloud(state_file) as port, Client(port) as connected:
        yield connected


@pytest.fixture
def built(client: Client) -> dict[str, Built]:
    return build(client, PLATFORM)


def difference(client: Client, built: dict[str, Built], name: str, inputs: Inputs) -> tuple[str, dict[str, str]]:
    """`none`, `update` or `replace`, and the kind of change by property path."""
    answer = client.diff(PLATFORM[name].token, name, built[name], inputs)
    kinds = {path: provider_pb2.PropertyDiff.Kind.Name(each.kind) for path, each in answer.detailedDiff.items()}
    if answer.replaces:
        return "replace", kinds
    return ("update" if answer.changes == provider_pb2.DiffResponse.DIFF_SOME else "none"), kinds


def test_a_whole_platform_comes_up_changes_nothing_again_and_leaves_nothing(client: Client, state_file: Path) -> None:
    built = build(client, PLATFORM)
    assert {name: difference(client, built, name, each.inputs)[0] for name, each in PLATFORM.items()} == dict.fromkeys(
        PLATFORM, "none"
    )
    tear_down(client, PLATFORM, built)
    left = json.loads(state_file.read_text())
    assert left["resources"] == {}
    enabled = [each for each in PLATFORM.values() if each.token == "gcp:projects/service:Service"]
    assert len(left["services"]) == len(enabled) > 0, "a service stays enabled unless the program says otherwise"
    assert [file.name for file in state_file.parent.iterdir()] == ["cloud.json"]


def test_a_program_that_asks_for_what_google_has_not_is_told_where(client: Client) -> None:
    pool = changed(
        PLATFORM["h200"].inputs,
        {
            "nodeConfig.guestAccelerators[0].typ": "nvidia-h200-141gb",
            "nodeConfig.guestAccelerators[0].type": REMOVED,
            "nodeConfig.machinetype": "x",
            "nodeConfig.spot": "yes",
            "nodeCount": 1.5,
            "nodeConfig.labels": {"cloud.example/tier": 1},
            "management": [],
        },
    )
    with pytest.raises(Refusal) as refused:
        client.check("gcp:container/nodePool:NodePool", "h200", pool)
    assert set(str(refused.value).split("\n")) == {
        "nodeConfig.guestAccelerators[0].typ: unknown property; did you mean `type`?",
        "nodeConfig.guestAccelerators[0].type: missing required property",
        "nodeConfig.machinetype: unknown property; did you mean `machineType`?",
        "nodeConfig.spot: expected bool, got string",
        "nodeCount: expected int, got number",
        'nodeConfig.labels["cloud.example/tier"]: expected string, got int',
        "management: expected object, got list",
    }


def test_a_type_that_the_cloud_does_not_know_is_one_clear_failure(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client.check("gcp:kms/keyRing:KeyRing", "keys", {"name": "keys"})
    assert "does not know resources of type gcp:kms/keyRing:KeyRing" in str(refused.value)


@pytest.mark.parametrize(
    ("configuration", "complaint"),
    [
        ({"project": "Not A Project"}, "project: `Not A Project` is no project id"),
        ({"project": "short"}, "project: `short` is no project id"),
        ({"region": "us-central9"}, "region: `us-central9` is no region"),
        ({"zone": "us-central1-z"}, "zone: `us-central1-z` is no zone"),
        ({"projet": "sandbox-project"}, "projet: unknown property; did you mean `project`?"),
    ],
)
def test_the_providers_own_settings_are_checked(client: Client, configuration: dict[str, str], complaint: str) -> None:
    request = provider_pb2.CheckRequest(urn="urn", news=encode({"project": PROJECT} | configuration))
    assert [failure.reason[: len(complaint)] for failure in client.stub.CheckConfig(request).failures] == [complaint]


def test_a_resource_without_any_project_is_refused(state_file: Path) -> None:
    with (
        serve_cloud(state_file) as port,
        Client(port, {}) as homeless,
        pytest.raises(Refusal, match="project: required field is not set"),
    ):
        homeless.check("gcp:compute/network:Network", "vpc", {"name": "vpc"})


def test_two_providers_of_one_program_keep_their_own_project(state_file: Path) -> None:
    with (
        serve_cloud(state_file) as port,
        Client(port, {"project": "first-project", "region": REGION}) as first,
        Client(port, {"project": "second-project", "region": REGION}) as second,
    ):
        service = ("gcp:projects/service:Service", "api", {"service": "compute.googleapis.com"})
        assert first.create(*service).id == "first-project/compute.googleapis.com"
        assert second.create(*service).id == "second-project/compute.googleapis.com"


def test_secrets_unknowns_and_outputs_are_read_as_what_they_stand_for() -> None:
    signature = "4dabf18193072939515e22adb298388d"
    secret = {signature: "1b47061264138c4ac30d75fd1eb44270", "value": {"a": 1, "none": None}}
    output = {signature: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "dependencies": []}
    message = encode({"secret": secret, "output": output, "known": {**output, "value": [2.5]}, "unknown": UNKNOWN})
    assert decode(message) == {"secret": {"a": 1}, "output": UNKNOWN, "known": [2.5], "unknown": UNKNOWN}


def test_a_preview_from_nothing_knows_names_but_nothing_that_google_computes(client: Client) -> None:
    pool = changed(PLATFORM["h200"].inputs, {"cluster": UNKNOWN})
    network = {"network": UNKNOWN, "subnetwork": UNKNOWN}
    pool["networkConfig"]["additionalNodeNetworkConfigs"] = [network] * 9
    previewed = {
        name: client.create(each.token, name, pool if name == "h200" else each.inputs, preview=True).outputs
        for name, each in PLATFORM.items()
    }
    assert previewed["vpc"]["name"] == "h200-vpc"
    assert previewed["vpc"]["selfLink"] == UNKNOWN
    assert previewed["cluster"]["endpoint"] == UNKNOWN
    dns = previewed["cluster"]["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert dns == {"allowExternalTraffic": True, "endpoint": UNKNOWN}
    assert previewed["cluster"]["workloadIdentityConfig"]["workloadPool"] == f"{PROJECT}.svc.id.goog"
    assert previewed["account"]["email"] == f"h200-nodes@{PROJECT}.iam.gserviceaccount.com"
    assert previewed["h200"]["cluster"] == UNKNOWN
    assert previewed["h200"]["instanceGroupUrls"] == UNKNOWN
    assert previewed["h200"]["networkConfig"]["additionalNodeNetworkConfigs"] == [network] * 9


def test_a_preview_creates_nothing(client: Client, state_file: Path) -> None:
    client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs, preview=True)
    assert not state_file.exists()


def test_a_resource_without_a_name_gets_one_that_stays(client: Client) -> None:
    token, first = "gcp:compute/network:Network", client.check("gcp:compute/network:Network", "vpc", {})
    assert first["name"] == "vpc-3031323"
    assert client.check(token, "vpc", {}, old=first) == first
    client.create("gcp:projects/service:Service", "api", {"service": "compute.googleapis.com"})
    unnamed = client.create(token, "vpc", {})
    answer = client.diff(token, "vpc", unnamed, {"description": "new"})
    assert list(answer.replaces) == ["description"]
    assert not answer.deleteBeforeReplace, "Google gives the new one another name"


IN_PLACE = [
    ("nodes", {"ipCidrRange": "10.0.0.0/19"}, {"ipCidrRange": "UPDATE"}),
    ("nodes", {"privateIpGoogleAccess": True}, {"privateIpGoogleAccess": "ADD"}),
    ("cluster", {"releaseChannel.channel": "RAPID"}, {"releaseChannel.channel": "UPDATE"}),
    ("cluster", {"deletionProtection": REMOVED}, {"deletionProtection": "DELETE"}),
    ("h200", {"nodeCount": 3}, {"nodeCount": "UPDATE"}),
    ("h200", {"nodeConfig.labels.tier": "gold"}, {"nodeConfig.labels.tier": "ADD"}),
    (
        "h200",
        {"nodeConfig.machineType": "a3-ultragpu-8g", "management": {"autoRepair": False}},
        {"management.autoRepair": "ADD"},
    ),
    ("nat", {"minPortsPerVm": 128}, {"minPortsPerVm": "ADD"}),
]
REPLACING = [
    ("vpc", {"description": "ours"}, {"description": "ADD_REPLACE"}),
    ("nodes", {"ipCidrRange": "10.0.0.0/21"}, {"ipCidrRange": "UPDATE_REPLACE"}),
    ("nodes", {"region": "us-east4"}, {"region": "UPDATE_REPLACE"}),
    ("cluster", {"location": "us-east4"}, {"location": "UPDATE_REPLACE"}),
    ("cluster", {"network": UNKNOWN}, {"network": "UPDATE_REPLACE"}),
    (
        "h200",
        {
            "nodeConfig.spot": REMOVED,
            "nodeConfig.flexStart": True,
            "nodeCount": REMOVED,
            "autoscaling.maxNodeCount": 2,
            "management.autoRepair": False,
        },
        {
            "nodeConfig.spot": "DELETE_REPLACE",
            "nodeConfig.flexStart": "ADD_REPLACE",
            "autoscaling.maxNodeCount": "ADD",
            "management.autoRepair": "ADD",
        },
    ),
    (
        "h200",
        {"nodeConfig.guestAccelerators[0].gpuDriverInstallationConfig.gpuDriverVersion": "DEFAULT"},
        {"nodeConfig.guestAccelerators[0].gpuDriverInstallationConfig.gpuDriverVersion": "UPDATE_REPLACE"},
    ),
    ("h200", {"maxPodsPerNode": 32}, {"maxPodsPerNode": "ADD_REPLACE"}),
    ("account", {"accountId": "other-nodes"}, {"accountId": "UPDATE_REPLACE"}),
    # The same cluster by another spelling, which the provider takes for another one.
    (
        "system",
        {"cluster": f"projects/{PROJECT}/locations/{REGION}/clusters/h200-cluster"},
        {"cluster": "UPDATE_REPLACE"},
    ),
]
UNCHANGED = [
    ("vpc", {"routingMode": "REGIONAL", "mtu": 1460}),
    ("nodes", {"network": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/h200-vpc"}),
    ("nodes", {"project": PROJECT}),
    ("h200", {"maxPodsPerNode": 110}),
]


def test_a_diff_tells_an_update_from_a_replacement(client: Client, built: dict[str, Built]) -> None:
    rows = [(*row, "update") for row in IN_PLACE] + [(*row, "replace") for row in REPLACING]
    rows += [(name, changes, {}, "none") for name, changes in UNCHANGED]
    for name, changes, paths, verdict in rows:
        inputs = changed(PLATFORM[name].inputs, changes)
        assert difference(client, built, name, inputs) == (verdict, paths), (name, changes)


def test_a_replacement_that_keeps_its_name_deletes_first(client: Client, built: dict[str, Built]) -> None:
    token, inputs = PLATFORM["h200"].token, PLATFORM["h200"].inputs
    same_name = client.diff(token, "h200", built["h200"], changed(inputs, {"maxPodsPerNode": 32}))
    new_name = client.diff(token, "h200", built["h200"], changed(inputs, {"maxPodsPerNode": 32, "name": "h200-b"}))
    assert (same_name.deleteBeforeReplace, new_name.deleteBeforeReplace) == (True, False)


def test_another_project_of_the_provider_replaces_what_took_it(state_file: Path) -> None:
    with serve_cloud(state_file) as port, Client(port) as first:
        built = build(first, {"api": PLATFORM["api-compute"], "vpc": PLATFORM["vpc"]})
        with Client(port, {"project": "other-project", "region": REGION}) as second:
            answer = second.diff(PLATFORM["vpc"].token, "vpc", built["vpc"], PLATFORM["vpc"].inputs)
    assert list(answer.replaces) == ["project"]


def test_an_update_keeps_what_google_gave_at_creation(client: Client, built: dict[str, Built]) -> None:
    token = PLATFORM["nodes"].token
    inputs = changed(PLATFORM["nodes"].inputs, {"privateIpGoogleAccess": True})
    updated = client.update(token, "nodes", built["nodes"], inputs)
    assert updated.outputs["privateIpGoogleAccess"] is True
    assert updated.outputs["creationTimestamp"] == built["nodes"].outputs["creationTimestamp"]


def test_what_was_made_is_there_for_the_next_command(state_file: Path) -> None:
    with serve_cloud(state_file) as port, Client(port) as client:
        built = build(client, PLATFORM)
    assert stat.S_IMODE(state_file.stat().st_mode) == 0o600
    with serve_cloud(state_file) as port, Client(port) as client:
        answer = client.read(PLATFORM["cluster"].token, "cluster", built["cluster"].id)
        assert (answer.id, decode(answer.properties)) == (built["cluster"].id, built["cluster"].outputs)
        assert decode(answer.inputs) == built["cluster"].inputs, "an import learns its inputs"
        with pytest.raises(Refusal, match="alreadyExists"):
            client.create(PLATFORM["vpc"].token, "vpc", PLATFORM["vpc"].inputs)
        tear_down(client, PLATFORM, built)
        assert client.read(PLATFORM["cluster"].token, "cluster", built["cluster"].id).id == ""


def test_what_is_gone_already_is_deleted_well_enough(client: Client, built: dict[str, Built]) -> None:
    client.delete(PLATFORM["h200"].token, "h200", built["h200"])
    client.delete(PLATFORM["h200"].token, "h200", built["h200"])
    with pytest.raises(Refusal, match="Error 404"):
        client.update(PLATFORM["h200"].token, "h200", built["h200"], PLATFORM["h200"].inputs)


def test_a_cluster_takes_its_node_pools_with_it(client: Client, built: dict[str, Built]) -> None:
    client.delete(PLATFORM["cluster"].token, "cluster", built["cluster"])
    assert client.read(PLATFORM["h200"].token, "h200", built["h200"].id).id == ""


@pytest.mark.parametrize(("policy", "left"), [("ABANDON", True), ("DELETE", False)])
def test_an_abandoned_resource_stays_at_google(client: Client, policy: str, left: bool) -> None:
    client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
    vpc = client.create(PLATFORM["vpc"].token, "vpc", {**PLATFORM["vpc"].inputs, "deletionPolicy": policy})
    client.delete(PLATFORM["vpc"].token, "vpc", vpc)
    assert bool(client.read(PLATFORM["vpc"].token, "vpc", vpc.id).id) is left


def test_a_prevented_resource_is_not_deleted(client: Client) -> None:
    client.create(PLATFORM["api-compute"].token, "api", PLATFORM["api-compute"].inputs)
    vpc = client.create(PLATFORM["vpc"].token, "vpc", {**PLATFORM["vpc"].inputs, "deletionPolicy": "PREVENT"})
    with pytest.raises(Refusal, match='without setting deletion_policy="DELETE"'):
        client.delete(PLATFORM["vpc"].token, "vpc", vpc)


def test_gke_taints_gpus_only_beside_other_nodes(client: Client) -> None:
    alone = {name: each for name, each in PLATFORM.items() if name != "system"}
    assert build(client, alone)["h200"].outputs["nodeConfig"]["effectiveTaints"] == []
    # What was decided at creation stays, whatever comes beside it.
    client.create(PLATFORM["system"].token, "system", PLATFORM["system"].inputs)
    again = client.read(PLATFORM["h200"].token, "h200", client_id(PLATFORM["h200"].inputs))
    assert decode(again.properties)["nodeConfig"]["effectiveTaints"] == []


def client_id(pool: Inputs) -> str:
    return f"{pool['cluster']}/nodePools/{pool['name']}"


def test_an_autoscaled_pool_starts_within_its_bounds(client: Client, built: dict[str, Built]) -> None:
    scaled = changed(
        PLATFORM["system"].inputs,
        {"name": "scaled", "nodeCount": REMOVED, "autoscaling": {"minNodeCount": 2, "maxNodeCount": 4}},
    )
    assert client.create(PLATFORM["system"].token, "scaled", scaled).outputs["nodeCount"] == 2


def test_more_machines_come_from_a_file(tmp_path: Path) -> None:
    more = tmp_path / "machines.yaml"
    more.write_text(
        """
families:
  x1:
    arch: amd64
    accelerator: nvidia-x1
    bootDisks: [hyperdisk-balanced]
    consumption: [onDemand]
    zones: [us-central1-a]
    machines: {x1-standard-8: {vcpus: 8, memoryGib: 64, acceleratorCount: 2}}
"""
    )
    pool = {"name": "x", "cluster": "c", "nodeLocations": [ZONE], "nodeConfig": {"machineType": "x1-standard-8"}}
    with serve_cloud(tmp_path / "cloud.json", scenario=more) as port, Client(port) as client:
        with pytest.raises(Refusal, match='"x1-standard-8" does not exist in zone "us-central1-b"'):
            client.check(PLATFORM["h200"].token, "x", pool)
        assert client.check(PLATFORM["h200"].token, "x", changed(pool, {"nodeLocations": ["us-central1-a"]}))


def test_a_broken_state_file_is_one_line_that_names_it(state_file: Path) -> None:
    state_file.parent.mkdir()
    state_file.write_text("{}")
    with serve_cloud(state_file) as port, pytest.raises(grpc.RpcError) as refused:
        Client(port).__enter__()
    assert f"{state_file}: not a cloud's state" in str(refused.value)
