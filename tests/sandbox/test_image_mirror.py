"""A stack whose images come through Artifact Registry comes up, changes and goes away with nothing left."""

import json
import re
from typing import Any

import pytest

from sandbox.project import PROJECT_ID
from tests.sandbox.conftest import Checkout
from tests.sandbox.stacks import edited, objects

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = f"projects/{PROJECT_ID}/locations/us-central1/repositories/dev-docker-hub"
ADDRESS = f"us-central1-docker.pkg.dev/{PROJECT_ID}/dev-docker-hub/vllm/vllm-openai:"


def resources(checkout: Checkout) -> dict[str, Any]:
    return json.loads((checkout.folder / ".sandbox/dev/cloud.json").read_text())["resources"]


def served_from(checkout: Checkout) -> set[str]:
    pods = objects(checkout, "dev", "pods -l app.kubernetes.io/name=vllm", "serving")
    return {container["image"] for pod in pods for container in pod["spec"]["containers"]}


def test_a_stack_with_a_repository_comes_up_changes_and_goes_with_nothing_left(checkout: Checkout) -> None:
    edited(checkout, "dev", images={"mirror": {}})
    checkout.succeed("up", "dev")
    made = resources(checkout)[REPOSITORY]["outputs"]
    assert made["registryUri"] == f"us-central1-docker.pkg.dev/{PROJECT_ID}/dev-docker-hub"
    (image,) = served_from(checkout)
    assert image.startswith(ADDRESS)
    again = checkout.succeed("preview", "dev")
    assert re.search(r"\d+ unchanged", again) and not re.search(r"to (create|update|delete|replace)", again)

    edited(checkout, "dev", images=None)
    checkout.succeed("up", "dev")
    (image,) = served_from(checkout)
    assert image.startswith("docker.io/vllm/vllm-openai:") and REPOSITORY not in resources(checkout)

    edited(checkout, "dev", images={"mirror": {}, "prePull": True})
    checkout.succeed("up", "dev")
    (pull,) = objects(checkout, "dev", "daemonsets -l app.kubernetes.io/name=pre-pull-l4", "kube-system")
    assert pull["status"]["numberReady"] == pull["status"]["desiredNumberScheduled"] >= 1
    (container,) = pull["spec"]["template"]["spec"]["containers"]
    assert {container["image"]} == served_from(checkout)
    checkout.succeed("destroy", "dev")
    assert not (checkout.folder / ".sandbox/dev").exists()
    assert checkout.processes() == []
