"""The process of a Job's pod reaches Google as a pod does: by its identity's token, at the hosts' own names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster import ControlPlane
from sandbox.objects import Objects
from sandbox.profile import read_profile
from sandbox.tools import cluster_tools
from tests.sandbox.conftest import CHECKOUT
from tests.sandbox.plane_objects import PLAIN, apply, node
from tests.sandbox.test_simulated_pods import job

PROJECT = "sandbox-project"
ACCOUNT = f"fill@{PROJECT}.iam.gserviceaccount.com"
POOL = f"{PROJECT}.svc.id.goog"

COPY = """
import json, sys, urllib.error, urllib.request
def ask(url, content=None, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.read().decode()}")
    except OSError as error:
        sys.exit(f"failed: {error}")
at = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/"
token = json.loads(ask(at + "token", **{"Metadata-Flavor": "Google"}))["access_token"]
who = ask(at + "email", **{"Metadata-Flavor": "Google"}).decode()
storage = "https://storage.googleapis.com"
bearer = {"Authorization": "Bearer " + token, "Content-Type": "application/octet-stream"}
ask(storage + "/upload/storage/v1/b/weights/o?uploadType=media&name=" + sys.argv[1], b"x" * 1000000, **bearer)
read = ask(storage + "/storage/v1/b/weights/o/" + sys.argv[1] + "?alt=media", **bearer)
print("copied as", who, len(read))
ask("https://example.org/")
"""


def cloud() -> dict[str, Any]:
    """A cloud with a bucket that one identity may fill."""
    cluster = {"project": PROJECT, "workloadIdentityConfig": {"workloadPool": POOL}}
    member = f"serviceAccount:{ACCOUNT}"
    user = {"member": member, "role": "roles/storage.objectUser"}
    binding = f"roles/iam.workloadIdentityUser/serviceAccount:{POOL}[default/fill]"
    return {
        f"projects/{PROJECT}/locations/us-central1/clusters/one": {"outputs": cluster},
        f"projects/{PROJECT}/serviceAccounts/{ACCOUNT}/{binding}": {"inputs": {}},
        "weights": {"token": "gcp:storage/bucket:Bucket", "inputs": {}, "outputs": {"project": PROJECT}},
        f"b/weights/roles/storage.objectUser/{member}": {"inputs": user},
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("outside")
    (home / "cloud.json").write_text(json.dumps({"resources": cloud()}))
    return home


@pytest.fixture(scope="module")
def plane(home: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(home / "clusters" / "one", cluster_tools(print), read_profile(CHECKOUT).workloads)
    plane.start(PLAIN)
    plane.apply_nodes([node("node-1", {}, [])])
    for name in ("fill", "stranger"):
        annotations = {"iam.gke.io/gcp-service-account": ACCOUNT}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "annotations": annotations}}
        apply(plane, account)
    yield plane
    plane.destroy()


@pytest.mark.parametrize(
    ("account", "said"),
    [
        # What is not of this cloud is unreachable, after all that is.
        ("fill", f"copied as {ACCOUNT} 1000000\nfailed: <urlopen error Tunnel connection failed: 503"),
        ("stranger", "403 Unable to generate access token; IAM returned 403 Forbidden"),
        ("default", f'403 {{"error": {{"code": 403, "message": "{POOL}[default/default] does not have storage'),
    ],
)
def test_a_pod_writes_and_reads_objects_as_whom_its_account_is(
    account: str, said: str, home: Path, plane: ControlPlane
) -> None:
    apply(plane, job(account, "smoke", "python3", "-c", COPY, f"{account}.bin", serviceAccountName=account))
    plane.kubectl("wait", "--for=condition=Failed", "--timeout=120s", f"job/{account}")
    assert said in plane.kubectl("logs", f"job/{account}")
    assert (Objects(home).get("weights", f"{account}.bin") is not None) is (account == "fill")
