"""A stack whose weights are in a bucket comes up, keeps the bucket, and goes away with nothing left."""

import json
import re
import subprocess
from typing import Any

import pytest

from sandbox.objects import Objects
from sandbox.project import PROJECT_ID
from tests.sandbox.conftest import Checkout
from tests.sandbox.stacks import edited, objects, values
from tests.sandbox.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BUCKET = f"{PROJECT_ID}-dev-weights"


def resources(checkout: Checkout) -> dict[str, Any]:
    return json.loads((checkout.folder / ".sandbox/dev/cloud.json").read_text())["resources"]


def asked(checkout: Checkout) -> list[str]:
    """The requests that the hub has got so far."""
    (file,) = (checkout.folder / ".sandbox/dev/clusters").glob("*/logs/hub-requests.log")
    return file.read_text(encoding="utf-8").splitlines()


def ready(checkout: Checkout, other: str) -> bool:
    """Whether a server other than the pod of that uid is Ready."""
    pods = objects(checkout, "dev", "pods -l app.kubernetes.io/name=vllm", "serving")
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for each in pods
        if each["metadata"]["uid"] != other
        for condition in each["status"].get("conditions", [])
    )


def test_a_stack_with_a_bucket_comes_up_keeps_it_and_goes_with_nothing_left(checkout: Checkout) -> None:
    models = [{**model, "weights": {"kind": "bucket"}} for model in values(checkout, "dev")["models"]]
    edited(checkout, "dev", weightsBucket={}, models=models)
    checkout.succeed("up", "dev")
    made = resources(checkout)[BUCKET]["outputs"]
    assert made["location"] == "US-CENTRAL1" and made["hierarchicalNamespace"] == {"enabled": True}
    (pod,) = objects(checkout, "dev", "pods -l app.kubernetes.io/name=vllm", "serving")
    assert pod["spec"]["serviceAccountName"] == "model-server"
    assert pod["spec"]["containers"][0]["args"][0].startswith(f"gs://{BUCKET}/models/")
    (job,) = objects(checkout, "dev", "jobs -l app.kubernetes.io/name=weights-fill", "serving")
    assert job["status"]["succeeded"] == 1
    names = [each.name for each in Objects(checkout.folder / ".sandbox/dev").named(BUCKET)]
    folder = pod["spec"]["containers"][0]["args"][0].removeprefix(f"gs://{BUCKET}/")
    assert f"complete/{folder}.json" in names and f"{folder}/model.safetensors.index.json" in names

    before = asked(checkout)
    behave = [".venv/bin/python", "-m", "sandbox", "behave", "--stack", "dev", "--hub", "unreachable"]
    subprocess.run(behave, cwd=checkout.folder, check=True, capture_output=True)
    checkout.succeed("kubectl", "dev", ARGS=f"delete pod {pod['metadata']['name']} -n serving --wait=false")
    wait_for("another server from the bucket", lambda: ready(checkout, pod["metadata"]["uid"]), 120)
    assert asked(checkout) == before
    again = checkout.succeed("preview", "dev")
    assert re.search(r"\d+ unchanged", again) and not re.search(r"to (create|update|delete|replace)", again)

    refused = checkout.make("destroy", "dev")
    assert refused.returncode != 0 and "protects weights-bucket" in refused.stdout + refused.stderr
    assert BUCKET in resources(checkout)

    edited(checkout, "dev", weightsBucket={"deletable": True})
    checkout.succeed("up", "dev")
    checkout.succeed("destroy", "dev")
    assert not (checkout.folder / ".sandbox/dev").exists()
    assert checkout.processes() == []
