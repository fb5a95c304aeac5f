"""Stacks in somebody else's cluster or network, which are left as they were."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cluster import ControlPlane
from sandbox.project import PROJECT_ID
from sandbox.tools import cluster_tools
from tests.sandbox.by_hand import delete_cluster
from tests.sandbox.cloud_client import PROJECT, REGION, Client, Resource, build, h200_platform, tear_down
from tests.sandbox.conftest import Checkout
from tests.sandbox.stacks import edited, objects, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OWNER = "owner"
OWNERS_PROJECT = "acme-platform"
"""A project of its own: the network is shared with the stack's as a Shared VPC's host, and the cluster is joined."""

DELETE_UNREACHABLE = "PULUMI_K8S_DELETE_UNREACHABLE"

THEIRS = {"project": OWNERS_PROJECT, "name": "h200-cluster", "systemPool": "system", "provides": ["nodePools"]}


def bare_platform() -> dict[str, Resource]:
    """In the stack's own project: a cluster with a system pool and no more."""
    parts = [name for name in h200_platform() if name.startswith("api-")]
    parts += ["vpc", "nodes", "account", "cluster", "system"]
    text = json.dumps({name: [each.token, each.inputs] for name, each in h200_platform().items() if name in parts})
    text = text.replace(PROJECT, PROJECT_ID).replace("h200", "plain")
    return {name: Resource(token, inputs) for name, (token, inputs) in json.loads(text).items()}


@pytest.fixture(scope="module")
def given(checkout: Checkout) -> Iterator[Path]:
    """A VPC with room for another cluster, and a cluster with H200 nodes, which somebody made by hand."""
    home = checkout.folder / ".sandbox" / OWNER
    home.mkdir(parents=True)
    platform = {
        name: Resource(each.token, json.loads(json.dumps(each.inputs).replace(PROJECT, OWNERS_PROJECT)))
        for name, each in h200_platform().items()
    }
    spare = {
        "name": "spare",
        "network": "h200-vpc",
        "region": REGION,
        "ipCidrRange": "172.20.0.0/20",
        "secondaryIpRanges": [
            {"rangeName": "spare-pods", "ipCidrRange": "172.24.0.0/16"},
            {"rangeName": "spare-services", "ipCidrRange": "172.21.0.0/20"},
        ],
    }
    platform["spare"] = Resource("gcp:compute/subnetwork:Subnetwork", spare)
    bare = bare_platform()
    # Whatever lies beside stack files is a stack; the fixture's own has the name and nothing else.
    shutil.copy(checkout.folder / "Pulumi.dev.yaml", checkout.folder / f"Pulumi.{OWNER}.yaml")
    with (
        serve_cloud(home / "cloud.json", home / "clusters", cluster_tools(print)) as port,
        Client(port, {"project": OWNERS_PROJECT, "region": REGION}) as theirs,
        Client(port, {"project": PROJECT_ID, "region": REGION}) as ours,
    ):
        owners = [(client, each, build(client, each)) for client, each in ((theirs, platform), (ours, bare))]
        yield home
        for owner in owners:
            tear_down(*owner)
    shutil.rmtree(home)


def everything(home: Path) -> dict[str, Any]:
    """What the owner has: in Google, and in the clusters."""
    resources = json.loads((home / "cloud.json").read_text())["resources"]
    kinds = "namespaces,nodes,crds,priorityclasses,validatingwebhookconfigurations,clusterroles"
    folders = [folder for folder in (home / "clusters").iterdir() if folder.is_dir()]
    inside = {each.name: ControlPlane(each).kubectl("get", kinds, "--output=name").split() for each in folders}
    return {"google": resources, "clusters": inside}


def stack_file(checkout: Checkout, stack: str, **changes: Any) -> None:
    shutil.copy(checkout.folder / "Pulumi.h200.yaml", checkout.folder / f"Pulumi.{stack}.yaml")
    edited(checkout, stack, **changes)


def test_a_stack_in_somebody_elses_cluster_leaves_it_as_it_was(checkout: Checkout, given: Path) -> None:
    stack_file(checkout, "joined", cluster={"existing": THEIRS})
    before = everything(given)
    checkout.succeed("up", "joined", CLOUD=OWNER)
    pods = {pod["metadata"]["name"]: pod for pod in objects(checkout, "joined", "pods")}
    (model,) = values(checkout, "joined")["models"]
    servers = [pod for name, pod in pods.items() if name.startswith(f"{model['name']}-group-")]
    assert len({pod["spec"]["nodeName"] for pod in servers}) == len(servers) == 2
    assert all(pod["status"]["phase"] == "Running" and "-h200-" in pod["spec"]["nodeName"] for pod in servers)
    sets = objects(checkout, "joined", "gkenetworkparamsets")
    assert sorted(each["spec"]["vpcSubnet"] for each in sets) == ["h200-gvnic", *(f"h200-roce-{n}" for n in range(8))]
    # What it is in outlives it, and what is rendered is what it would make there.
    refused = checkout.make("destroy", OWNER)
    assert refused.returncode != 0 and "stack joined is up in the cloud of owner" in refused.stderr
    checkout.succeed("render", "joined", OUT="rendered-joined")
    rendered = {file.name for file in (checkout.folder / "rendered-joined").iterdir()}
    assert {f"leaderworkerset_serving-rdma_{model['name']}-group.yaml", "gkenetworkparamset_rdma-7.yaml"} <= rendered
    checkout.succeed("destroy", "joined")
    assert everything(given) == before


@pytest.mark.parametrize("target", ["up", "preview", "render", "policy"])
def test_a_stack_that_joins_something_says_that_it_must_be_told_where_that_is(checkout: Checkout, target: str) -> None:
    stack_file(checkout, "alone", cluster={"existing": {"name": "h200-cluster", "systemPool": "system"}})
    run = checkout.make(target, "alone")
    lines = (run.stdout + run.stderr).strip().splitlines()
    assert run.returncode != 0
    assert "stack alone joins what another one owns; say in whose cloud that is: CLOUD=" in lines[0]
    assert not (checkout.folder / ".sandbox/alone").exists()


def test_a_stack_adds_its_own_node_pools_to_somebody_elses_cluster(checkout: Checkout, given: Path) -> None:
    shutil.copy(checkout.folder / "Pulumi.dev.yaml", checkout.folder / "Pulumi.added.yaml")
    edited(checkout, "added", cluster={"existing": {"name": "plain-cluster", "systemPool": "system"}})
    before = everything(given)
    checkout.succeed("up", "added", CLOUD=OWNER)
    nodes = [
        node["metadata"]["labels"]["cloud.google.com/gke-nodepool"] for node in objects(checkout, "added", "nodes")
    ]
    assert sorted(nodes) == ["l4", "system"]
    assert "passed" in checkout.succeed("verify", "added")
    checkout.succeed("destroy", "added")
    assert everything(given) == before


def test_a_given_cluster_that_will_not_do_is_refused_before_anything_is_made(checkout: Checkout, given: Path) -> None:
    secret = {"secretManager": {"secret": "hugging-face-token", "version": 1}}
    stack_file(checkout, "unfit", cluster={"existing": THEIRS}, token=secret)
    run = checkout.make("preview", "unfit", CLOUD=OWNER)
    assert run.returncode != 0
    reasons = [line for line in (run.stdout + run.stderr).splitlines() if "will not do" in line or "rror" in line]
    assert any("h200-cluster will not do: it has no Secret Manager add-on" in line for line in reasons), reasons


def test_a_stack_in_somebody_elses_network_leaves_it_as_it_was(checkout: Checkout, given: Path) -> None:
    network = {
        "project": OWNERS_PROJECT,
        "network": "h200-vpc",
        "subnetwork": "spare",
        "podsRange": "spare-pods",
        "servicesRange": "spare-services",
    }
    shutil.copy(checkout.folder / "Pulumi.dev.yaml", checkout.folder / "Pulumi.inside.yaml")
    edited(checkout, "inside", network={"existing": network})
    before = everything(given)
    checkout.succeed("up", "inside", CLOUD=OWNER)
    state = json.loads((given / "cloud.json").read_text())["resources"]
    cluster = state[f"projects/{PROJECT_ID}/locations/{REGION}/clusters/inside-cluster"]["outputs"]
    assert cluster["subnetwork"].endswith(f"projects/{OWNERS_PROJECT}/regions/{REGION}/subnetworks/spare")
    checkout.succeed("destroy", "inside")
    assert everything(given) == before


def test_a_stack_in_a_given_cluster_that_is_gone_says_how_it_goes_down(
    checkout: Checkout, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(checkout.folder / "Pulumi.dev.yaml", checkout.folder / "Pulumi.orphan.yaml")
    edited(checkout, "orphan", cluster={"existing": {"name": "plain-cluster", "systemPool": "system"}})
    checkout.succeed("up", "orphan", CLOUD=OWNER)
    delete_cluster(given, "plain-cluster")
    refused = checkout.make("destroy", "orphan")
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "configured Kubernetes cluster is unreachable" in said and DELETE_UNREACHABLE in said, said
    monkeypatch.setenv(DELETE_UNREACHABLE, "true")
    assert "stack orphan is gone" in checkout.succeed("destroy", "orphan")
