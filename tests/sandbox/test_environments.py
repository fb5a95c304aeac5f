"""Staging and production: protected, and with a token that rolls the servers and is in no state."""

import base64
import hashlib
import json

import pytest
import yaml
from pulumi import automation as auto

from sandbox.home import Home
from sandbox.project import CANARY_TOKEN, PROJECT_ID
from sandbox.pulumi_engine import pulumi_engine
from tests.sandbox.conftest import Checkout
from tests.sandbox.stacks import edited, objects, values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OTHER_TOKEN = "hf_anothercanary0123456789"
PROTECTED = "as it is currently marked for protection"


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
        (model,) = values(checkout, "production")["models"]
        assert kubectl(f"wait deployment/{model['name']} {ready}") == 0

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
        assert "1 replaced" in checkout.succeed("up", "production")
        edited(checkout, "production", acknowledgeReplacement=None)
        assert "unchanged" in checkout.succeed("preview", "production")

    def test_a_change_that_would_replace_the_protected_cluster_is_refused(self, checkout: Checkout) -> None:
        cloud = checkout.folder / ".sandbox/production/cloud.json"
        before = cloud.read_text()
        edited(checkout, "production", namePrefix="other")
        for command in ("preview", "up"):
            run = checkout.make(command, "production")
            assert run.returncode != 0 and PROTECTED in run.stdout + run.stderr, command
        # Another name is another account with other roles too; none of the old ones has gone before it was refused.
        assert cloud.read_text() == before

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
    for namespace in ("serving", "lws-system"):
        pods = objects(checkout, "staging", "pods", namespace)
        assert pods and all(pod["metadata"]["labels"]["cost-centre"] == "inference" for pod in pods), namespace
    (before,) = objects(checkout, "staging", "deployments", "serving")
    with pulumi_engine(Home.of(checkout.folder, "staging"), print) as running:
        running.stack.set_config("inference-platform:huggingFaceToken", auto.ConfigValue(OTHER_TOKEN, secret=True))
    output = checkout.succeed("up", "staging")
    assert OTHER_TOKEN not in output and "1 updated" in output
    # Rolled and not made again: its servers mount another Secret, and the old one is gone.
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


def test_removing_a_protected_pool_takes_two_updates(checkout: Checkout) -> None:
    (pool,), (model,) = (values(checkout, "staging")[key] for key in ("nodePools", "models"))
    spare = {**pool, "name": "spare", "nodes": 1}
    edited(checkout, "staging", nodePools=[pool, spare], models=[{**model, "nodePool": pool["name"]}])
    run = checkout.make("up", "staging")
    assert run.returncode != 0 and "1 of 1 GPUs of pool spare are idle" in run.stdout + run.stderr
    edited(checkout, "staging", acknowledgeIdle={"spare": 1})
    checkout.succeed("up", "staging")
    edited(checkout, "staging", nodePools=[pool])
    for command in ("preview", "up"):
        run = checkout.make(command, "staging")
        assert run.returncode != 0 and "cannot be deleted" in run.stdout + run.stderr, command
    # To remove it and to let it go at once is too late: the Pulumi engine knows it as it was left.
    edited(checkout, "staging", acknowledgeReplacement=["spare"])
    assert checkout.make("up", "staging").returncode != 0
    edited(checkout, "staging", nodePools=[pool, spare])
    checkout.succeed("up", "staging")
    edited(checkout, "staging", nodePools=[pool], acknowledgeReplacement=None, acknowledgeIdle=None)
    checkout.succeed("up", "staging")
    nodes = {
        node["metadata"]["labels"]["cloud.google.com/gke-nodepool"] for node in objects(checkout, "staging", "nodes")
    }
    assert nodes == {"system", "l4"}


def test_staging_goes_when_it_is_confirmed(checkout: Checkout) -> None:
    assert checkout.make("destroy", "staging").returncode != 0
    checkout.succeed("destroy", "staging", CONFIRM="staging")
    assert not (checkout.folder / ".sandbox").exists()
