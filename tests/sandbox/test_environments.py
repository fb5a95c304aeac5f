"""Staging and production, and what belongs to somebody else: protected, joined and left as they were."""

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation as auto

from sandbox.cloud import serve_cloud
from sandbox.engine import engine
from sandbox.home import CANARY_TOKEN, PROJECT_ID, Home
from sandbox.tools import cluster_tools
from tests.sandbox.cloud_client import PROJECT, REGION, Client, Resource, build, h200_platform, tear_down
from tests.sandbox.conftest import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OTHER_TOKEN = "hf_anothercanary0123456789"
PROTECTED = "as it is currently marked for protection"


def edited(checkout: Checkout, stack: str, **changes: Any) -> None:
    """Sets keys of a stack file of the copy; None takes one away."""
    file = checkout.folder / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text())
    for key, value in changes.items():
        content["config"].pop(f"inference-platform:{key}", None)
        if value is not None:
            content["config"][f"inference-platform:{key}"] = value
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def values(checkout: Checkout, stack: str) -> dict[str, Any]:
    config = yaml.safe_load((checkout.folder / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("inference-platform:"): value for key, value in config.items()}


def objects(checkout: Checkout, stack: str, kinds: str, namespace: str | None = None) -> list[dict[str, Any]]:
    where = f"-n {namespace}" if namespace else "-A"
    return json.loads(checkout.make("kubectl", stack, ARGS=f"get {kinds} {where} -o json").stdout)["items"]


class TestProduction:
    """The tests of this class build on each other, in this order."""

    def test_up_builds_it_and_the_pod_gets_the_token_that_no_state_holds(self, checkout: Checkout) -> None:
        output = checkout.succeed("up", "production")
        assert CANARY_TOKEN not in output
        assert objects(checkout, "production", "secrets", "serving") == []
        pod = objects(checkout, "production", "pods -l app.kubernetes.io/name=vllm")[0]
        (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "hugging-face-token"]
        assert volume["csi"]["driver"] == "secrets-store-gke.csi.k8s.io"
        assert "/var/run/secrets/huggingface" in {
            mount["mountPath"]
            for mount in pod["spec"]["containers"][0]["volumeMounts"]
            if mount["name"] == volume["name"]
        }
        # The whole chain from the pod to the secret: its class, its account, Google's account, and what that may read.
        (provided,) = objects(checkout, "production", "secretproviderclasses", "serving")
        assert provided["metadata"]["name"] == volume["csi"]["volumeAttributes"]["secretProviderClass"]
        (file,) = yaml.safe_load(provided["spec"]["parameters"]["secrets"])
        assert file == {
            "resourceName": f"projects/{PROJECT_ID}/secrets/hugging-face-token/versions/1",
            "path": "token",
        }
        account = next(
            each
            for each in objects(checkout, "production", "serviceaccounts", "serving")
            if each["metadata"]["name"] == pod["spec"]["serviceAccountName"]
        )
        email = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
        cloud = (checkout.folder / ".sandbox/production/cloud.json").read_text()
        resources = json.loads(cloud)["resources"]
        secret = f"projects/{PROJECT_ID}/secrets/hugging-face-token/roles/secretmanager.secretAccessor"
        assert f"{secret}/serviceAccount:{email}" in resources
        bound = f"roles/iam.workloadIdentityUser/serviceAccount:{PROJECT_ID}.svc.id.goog[serving/model-server]"
        assert any(email in id_ and id_.endswith(bound) for id_ in resources)

    def test_the_pods_have_it_and_no_other_file_of_the_sandbox_does(self, checkout: Checkout) -> None:
        home = checkout.folder / ".sandbox" / "production"
        mounts = home / "clusters" / "production-cluster" / "mounts"
        pods = objects(checkout, "production", "pods -l app.kubernetes.io/name=vllm")
        wanted = {mounts / pod["metadata"]["uid"] / "hugging-face-token" / "token" for pod in pods}
        assert len(wanted) == 2 and {file.read_text() for file in wanted} == {CANARY_TOKEN}
        checkout.succeed("render", "production", OUT="rendered-production")
        assert CANARY_TOKEN not in checkout.succeed("preview", "production")
        everything = [*home.rglob("*"), *(checkout.folder / "rendered-production").iterdir()]
        holders = {path for path in everything if path.is_file() and CANARY_TOKEN.encode() in path.read_bytes()}
        assert holders == wanted

    @pytest.mark.parametrize(
        ("lost", "said"),
        [
            ("/roles/secretmanager.secretAccessor/", "Permission 'secretmanager.versions.access' denied"),
            ("/roles/iam.workloadIdentityUser/", "Permission 'iam.serviceAccounts.getAccessToken' denied"),
        ],
    )
    def test_a_pod_that_may_not_read_it_does_not_start(self, checkout: Checkout, lost: str, said: str) -> None:
        def kubectl(arguments: str) -> int:
            return checkout.make("kubectl", "production", ARGS=f"{arguments} -n serving").returncode

        file = checkout.folder / ".sandbox/production/cloud.json"
        before = file.read_text()
        cloud = json.loads(before)
        cloud["resources"] = {id_: record for id_, record in cloud["resources"].items() if lost not in id_}
        file.write_text(json.dumps(cloud))
        assert kubectl("delete pod -l app.kubernetes.io/name=vllm --wait") == 0
        assert kubectl("wait pod -l app.kubernetes.io/name=vllm --for=condition=Ready --timeout=5s") != 0
        told = objects(checkout, "production", "events --field-selector reason=FailedMount", "serving")
        assert any(said in event["message"] for event in told)
        file.write_text(before)
        ready = "--for=jsonpath={.status.readyReplicas}=2 --timeout=60s"
        assert kubectl(f"wait deployment/gemma-3-27b {ready}") == 0

    def test_a_change_that_would_replace_a_protected_pool_is_refused(self, checkout: Checkout) -> None:
        (pool,) = values(checkout, "production")["nodePools"]
        edited(checkout, "production", nodePools=[{**pool, "driverVersion": "DEFAULT"}])
        for command in ("preview", "up"):
            run = checkout.make(command, "production")
            text = run.stdout + run.stderr
            assert run.returncode != 0 and PROTECTED in text and "h200-pool" in text, command

    def test_with_the_acknowledgement_it_passes_for_that_pool_alone(self, checkout: Checkout) -> None:
        edited(checkout, "production", acknowledgeReplacement=["h200"])
        assert "1 to replace" in checkout.succeed("preview", "production")
        edited(checkout, "production", namePrefix="other")
        run = checkout.make("preview", "production")
        assert run.returncode != 0 and PROTECTED in run.stdout + run.stderr

    def test_destroy_wants_the_name_once_more_and_then_leaves_nothing(self, checkout: Checkout) -> None:
        edited(checkout, "production", namePrefix=None, acknowledgeReplacement=None)
        run = checkout.make("destroy", "production")
        assert run.returncode != 0 and "CONFIRM=production" in run.stderr and "gke-cluster" in run.stderr
        assert (checkout.folder / ".sandbox/production/cloud.json").exists()
        checkout.succeed("destroy", "production", CONFIRM="production")
        assert not (checkout.folder / ".sandbox").exists()
        assert checkout.processes() == []


def test_staging_comes_up_protected_and_rolls_its_servers_to_another_token(checkout: Checkout) -> None:
    checkout.succeed("up", "staging")
    cluster = next(
        record["outputs"]
        for record in json.loads((checkout.folder / ".sandbox/staging/cloud.json").read_text())["resources"].values()
        if record["token"] == "gcp:container/cluster:Cluster"
    )
    assert cluster["deletionProtection"] is True
    assert cluster["resourceLabels"] == {"environment": "staging", "cost-centre": "inference"}
    assert "unchanged" in checkout.succeed("preview", "staging")
    assert "control plane at" in checkout.succeed("status", "staging")
    (before,) = objects(checkout, "staging", "deployments", "serving")
    with engine(Home.of(checkout.folder, "staging"), print) as running:
        running.stack.set_config("inference-platform:huggingFaceToken", auto.ConfigValue(OTHER_TOKEN, secret=True))
    output = checkout.succeed("up", "staging")
    assert OTHER_TOKEN not in output and "1 updated" in output
    # Rolled and not made anew: its servers mount another Secret, and the old one is gone.
    (after,) = objects(checkout, "staging", "deployments", "serving")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    (secret,) = objects(checkout, "staging", "secrets", "serving")
    assert base64.b64decode(secret["data"]["token"]).decode() == OTHER_TOKEN
    pod = objects(checkout, "staging", "pods -l app.kubernetes.io/name=vllm", "serving")[0]
    assert secret["metadata"]["name"] in {each.get("secret", {}).get("secretName") for each in pod["spec"]["volumes"]}
    digests = {hashlib.sha256(token.encode()).hexdigest()[:8] for token in (CANARY_TOKEN, OTHER_TOKEN)}
    state = [file for file in (checkout.folder / ".sandbox/staging/state").rglob("*") if file.is_file()]
    for text in (CANARY_TOKEN, OTHER_TOKEN, *digests):
        assert not [file for file in state if text.encode() in file.read_bytes()]


def test_staging_goes_when_it_is_confirmed(checkout: Checkout) -> None:
    assert checkout.make("destroy", "staging").returncode != 0
    checkout.succeed("destroy", "staging", CONFIRM="staging")
    assert not (checkout.folder / ".sandbox").exists()


OWNER = "owner"
OWNERS_PROJECT = "acme-platform"
"""A project of its own: the network is shared with the stack's as a Shared VPC's host, and the cluster is joined."""


THEIRS = {"project": OWNERS_PROJECT, "name": "h200-cluster", "systemPool": "system", "provides": ["nodePools"]}


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
    # Whatever lies beside stack files is a stack; the fixture's own has the name and nothing else.
    shutil.copy(checkout.folder / "Pulumi.dev.yaml", checkout.folder / f"Pulumi.{OWNER}.yaml")
    with (
        serve_cloud(home / "cloud.json", home / "clusters", cluster_tools(print)) as port,
        Client(port, {"project": OWNERS_PROJECT, "region": REGION}) as client,
    ):
        built = build(client, platform)
        yield home
        tear_down(client, platform, built)
    shutil.rmtree(home)


def everything(checkout: Checkout, home: Path) -> dict[str, Any]:
    """What the owner has: in Google, and in the cluster."""
    resources = json.loads((home / "cloud.json").read_text())["resources"]
    kinds = "namespaces,nodes,crds,priorityclasses,validatingwebhookconfigurations,clusterroles"
    inside = sorted(f"{item['kind']} {item['metadata']['name']}" for item in objects(checkout, OWNER, kinds))
    return {"google": resources, "cluster": inside}


def stack_file(checkout: Checkout, stack: str, **changes: Any) -> None:
    shutil.copy(checkout.folder / "Pulumi.h200.yaml", checkout.folder / f"Pulumi.{stack}.yaml")
    edited(checkout, stack, **changes)


def test_a_stack_in_somebody_elses_cluster_leaves_it_as_it_was(checkout: Checkout, given: Path) -> None:
    stack_file(checkout, "joined", cluster={"existing": THEIRS})
    before = everything(checkout, given)
    checkout.succeed("up", "joined", CLOUD=OWNER)
    pods = {pod["metadata"]["name"]: pod for pod in objects(checkout, "joined", "pods")}
    server = next(pod for name, pod in pods.items() if name.startswith("gemma-3-1b-") and "smoke" not in name)
    assert server["status"]["phase"] == "Running" and "-h200-" in server["spec"]["nodeName"]
    sets = objects(checkout, "joined", "gkenetworkparamsets")
    assert sorted(each["spec"]["vpcSubnet"] for each in sets) == ["h200-gvnic", *(f"h200-roce-{n}" for n in range(8))]
    # What it is in outlives it, and what is rendered is what it would make there.
    refused = checkout.make("destroy", OWNER)
    assert refused.returncode != 0 and "stack joined is up in the cloud of owner" in refused.stderr
    checkout.succeed("render", "joined", OUT="rendered-joined")
    rendered = {file.name for file in (checkout.folder / "rendered-joined").iterdir()}
    assert {"deployment_serving_gemma-3-1b.yaml", "gkenetworkparamset_rdma-7.yaml"} <= rendered
    checkout.succeed("destroy", "joined")
    assert everything(checkout, given) == before


@pytest.mark.parametrize("target", ["up", "preview", "render", "policy"])
def test_a_stack_that_joins_something_says_that_it_must_be_told_where_that_is(checkout: Checkout, target: str) -> None:
    stack_file(checkout, "alone", cluster={"existing": {"name": "h200-cluster", "systemPool": "system"}})
    run = checkout.make(target, "alone")
    lines = (run.stdout + run.stderr).strip().splitlines()
    assert run.returncode != 0
    assert "stack alone joins what another one owns; say in whose cloud that is: CLOUD=" in lines[0]
    assert not (checkout.folder / ".sandbox/alone").exists()


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
    before = everything(checkout, given)
    checkout.succeed("up", "inside", CLOUD=OWNER)
    state = json.loads((given / "cloud.json").read_text())["resources"]
    cluster = state[f"projects/{PROJECT_ID}/locations/{REGION}/clusters/inside-cluster"]["outputs"]
    assert cluster["subnetwork"].endswith(f"projects/{OWNERS_PROJECT}/regions/{REGION}/subnetworks/spare")
    checkout.succeed("destroy", "inside")
    assert everything(checkout, given) == before
