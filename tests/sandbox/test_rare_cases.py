"""Guards of the sandbox that no stack of this repository reaches, but another program may."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sandbox.cloud import serve_cloud
from sandbox.cloud.autoscaler import takes
from sandbox.cloud.references import regional_id
from sandbox.cloud.resources import KINDS
from sandbox.cloud.resources.identity import account_exists
from sandbox.cloud.schema import arguments_class
from sandbox.cloud.situation import Situation
from sandbox.cloud.store import BrokenState, State, Store
from sandbox.cloud.tables import Tables
from sandbox.cloud.versions import DEFAULT_VERSION, NEWEST, resolve
from sandbox.google.login import ACCESS_TOKEN
from sandbox.google.server import World, serve_google
from sandbox.models.node_agent import NodeAgent, log_file
from sandbox.profile import Profile
from tests.sandbox.cloud_client import PROJECT, Client, Refusal

ADDRESS = "gcp:compute/address:Address"
FIREWALL = "gcp:compute/firewall:Firewall"


def test_without_a_region_anywhere_the_provider_says_so(tmp_path: Path) -> None:
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port, {"project": PROJECT}) as client:
        with pytest.raises(Refusal, match="Cannot determine region"):
            client.check(ADDRESS, "nat", {"name": "nat"})
        client.check(ADDRESS, "nat", {"name": "nat", "region": "europe-west4"})


def test_a_rule_for_egress_needs_no_source(tmp_path: Path) -> None:
    rule = {"name": "out", "network": "default", "denies": [{"protocol": "all"}]}
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        with pytest.raises(Refusal, match="source"):
            client.check(FIREWALL, "out", rule)
        client.check(FIREWALL, "out", {**rule, "direction": "EGRESS"})


def test_a_list_that_is_none_is_named_with_its_type(tmp_path: Path) -> None:
    rule = {"name": "in", "network": "default", "sourceRanges": "10.0.0.0/8"}
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client, pytest.raises(Refusal, match="list"):
        client.check(FIREWALL, "in", rule)


def test_a_state_of_another_version_is_named_and_not_guessed(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    file.write_text(json.dumps({"format": -1, "resources": {}, "services": {}}), encoding="utf-8")
    with pytest.raises(BrokenState, match=r"cloud\.json: written by another version"):
        Store(file).read()


@pytest.mark.parametrize("token", KINDS)
def test_every_kind_has_the_sdks_own_token(token: str) -> None:
    assert arguments_class(token).__name__.endswith("Args")


def test_a_token_that_the_sdk_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="another token for Cluster"):
        arguments_class("gcp:container/nodePool:Cluster")


@pytest.mark.parametrize(
    ("wanted", "resolved"),
    [
        (None, DEFAULT_VERSION),
        ("1.34.5-gke.1153000", "1.34.5-gke.1153000"),
        *((f"{minor}.", newest) for minor, newest in NEWEST.items()),
        ("1.99", "1.99.0-gke.1000000"),
    ],
)
def test_a_request_for_a_version_leads_to_one(wanted: str | None, resolved: str) -> None:
    assert resolve(wanted) == resolved


def test_a_regions_own_path_is_a_name_too() -> None:
    expected = "projects/acme/regions/europe-west4/subnetworks/nodes"
    assert regional_id("regions/europe-west4/subnetworks/nodes", "subnetworks", "acme", None) == expected


def test_only_accounts_of_projects_can_be_missing() -> None:
    assert account_exists(State(), "somebody@example.com")
    assert not account_exists(State(), "nodes@acme.iam.gserviceaccount.com")


def test_the_autoscaler_adds_no_node_for_an_affinity_that_it_cannot_judge() -> None:
    node = {
        "metadata": {"labels": {"size": "5"}},
        "spec": {},
        "status": {"allocatable": {}},
    }
    assert takes(node, _pod_with("In")) and not takes(node, _pod_with("NotIn"))
    assert not takes(node, _pod_with("Gt"))


def _pod_with(operator: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "size", "operator": operator, "values": ["5"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"spec": {"containers": [], "affinity": {"nodeAffinity": required}}}


def test_an_api_that_is_off_answers_as_google_does() -> None:
    situation = Situation(disabled=frozenset({"compute.googleapis.com"}))
    world = World(PROJECT, State, Tables(), situation, ())
    with serve_google(world) as google:
        url = f"{google.environment['GOOGLE_COMPUTE_CUSTOM_ENDPOINT']}projects/{PROJECT}/regions/us-central1"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {ACCESS_TOKEN}"}))
        error = json.load(refused.value)["error"]
    assert error["errors"][0]["reason"] == "accessNotConfigured"


def test_a_simulated_node_forwards_no_port_and_cuts_a_log_where_asked(tmp_path: Path) -> None:
    file = log_file(tmp_path, "serving", "pod", "main")
    file.parent.mkdir(parents=True)
    file.write_text("one\ntwo\nthree\n", encoding="utf-8")

    async def ask() -> tuple[int, str, str]:
        async with TestClient(TestServer(NodeAgent(tmp_path).application())) as client:
            forwarded = await client.post("/portForward/serving/pod")
            tail = await client.get("/containerLogs/serving/pod/main?tailLines=2")
            return forwarded.status, await forwarded.text(), await tail.text()

    status, why, tail = asyncio.run(ask())
    assert (status, tail) == (501, "two\nthree\n")
    assert "kubectl get --raw" in why


def test_hints_are_commands_of_the_sandbox_unless_a_makefile_has_them() -> None:
    plain = Profile(namespace="acme", project="gcp:project")
    assert plain.how("destroy", "dev", confirm="dev") == "python -m sandbox destroy --stack dev --confirm dev"
    assert plain.how("kubectl", "dev", "get", "pods") == "python -m sandbox kubectl --stack dev -- get pods"
    made = Profile(namespace="acme", project="project", makefile=True)
    assert made.how("destroy", "dev", confirm="dev") == "make destroy STACK=dev CONFIRM=dev"
    assert made.how("kubectl", "dev", "get", "pods") == 'make kubectl STACK=dev ARGS="get pods"'
    assert (plain.key(plain.project), made.key(made.project)) == ("gcp:project", "acme:project")
