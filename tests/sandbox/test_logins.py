"""Two logins of Google's tools: the stand-in's plugin and gcloud keep them apart as the real ones do."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.sandbox.conftest import CHECKOUT

APPLICATION_DEFAULT = "--use_application_default_credentials"
SERVER = "https://127.0.0.1:6443"


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment on a machine without any login, from which one cluster can be reached."""
    cluster = tmp_path / "clusters" / "dev-cluster"
    (cluster / "pki").mkdir(parents=True)
    (cluster / "pki" / "admin.token").write_text("the-token", encoding="utf-8")
    (cluster / "admin.kubeconfig").write_text(f' "server": "{SERVER}"\n', encoding="utf-8")
    return {
        "PATH": os.pathsep.join([str(CHECKOUT / "sandbox" / "bin"), os.defpath]),
        "HOME": str(tmp_path),
        "SANDBOX_CLUSTERS": str(tmp_path / "clusters"),
        "KUBERNETES_EXEC_INFO": json.dumps({"spec": {"cluster": {"server": SERVER}}}),
    }


def run(machine: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=machine, capture_output=True, text=True, check=False)


def plugin(machine: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(machine, "gke-gcloud-auth-plugin", *arguments)


@pytest.mark.parametrize("arguments", [(), (APPLICATION_DEFAULT,)])
def test_without_a_login_there_is_no_token(machine: dict[str, str], arguments: tuple[str, ...]) -> None:
    refused = plugin(machine, *arguments)
    assert refused.returncode != 0 and "Failed to retrieve access token" in refused.stderr


@pytest.mark.parametrize(
    ("login", "works", "does_not"),
    [
        (("auth", "application-default", "login"), (APPLICATION_DEFAULT,), ()),
        (("auth", "login"), (), (APPLICATION_DEFAULT,)),
    ],
)
def test_neither_login_stands_for_the_other(
    machine: dict[str, str], login: tuple[str, ...], works: tuple[str, ...], does_not: tuple[str, ...]
) -> None:
    assert run(machine, "gcloud", *login).returncode == 0
    given = plugin(machine, *works)
    assert given.returncode == 0, given.stderr
    assert json.loads(given.stdout)["status"]["token"] == "the-token"
    assert plugin(machine, *does_not).returncode != 0


def test_a_pipeline_has_a_file_and_no_account(machine: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "workload-identity.json"
    file.write_text("{}", encoding="utf-8")
    pipeline = {**machine, "GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    assert plugin(pipeline, APPLICATION_DEFAULT).returncode == 0
    assert plugin(pipeline).returncode != 0


def test_gcloud_needs_its_own_account_to_set_kubectl_up(machine: dict[str, str], tmp_path: Path) -> None:
    command = ("gcloud", "container", "clusters", "get-credentials", "dev-cluster", "--location", "us-central1")
    run(machine, "gcloud", "auth", "application-default", "login")
    refused = run(machine, *command)
    assert refused.returncode != 0 and "gcloud auth login" in refused.stderr
    run(machine, "gcloud", "auth", "login")
    assert run(machine, *command).returncode == 0
    made = json.loads((tmp_path / ".kube" / "config").read_text(encoding="utf-8"))
    assert made["users"][0]["user"]["exec"]["args"] == []
    run({**machine, "CLOUDSDK_CONTAINER_USE_APPLICATION_DEFAULT_CREDENTIALS": "true"}, *command)
    made = json.loads((tmp_path / ".kube" / "config").read_text(encoding="utf-8"))
    assert made["users"][0]["user"]["exec"]["args"] == [APPLICATION_DEFAULT]
