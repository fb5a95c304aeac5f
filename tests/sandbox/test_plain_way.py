"""The plain Pulumi CLI on this checkout: nothing of the sandbox is needed, and a mistake is one error.

The CLI, its configuration commands and Pulumi are the real ones, and so are stack files and program; the language
host is a stand-in (tests/sandbox/plain), since the Go build of the Pulumi engine brings none.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cloud import serve_cloud
from tests.sandbox.conftest import copy_checkout
from tests.sandbox.plain_cli import Project

pytestmark = pytest.mark.timeout(300)

TOKEN = "hf_canaryoftheplainway"


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The dev stack with project and token set, as the README says."""
    folder = tmp_path_factory.mktemp("plain")
    checkout = copy_checkout(folder / "checkout")
    for unneeded in ("sandbox", "tests", "maintenance", "bench"):
        shutil.rmtree(checkout.folder / unneeded)
    (folder / "backend").mkdir()
    project = Project(checkout.folder, folder / "backend")
    for command in (
        ["stack", "init", "dev"],
        ["config", "set", "inference-platform:project", "acme-inference"],
        ["config", "set", "--secret", "inference-platform:huggingFaceToken", TOKEN],
    ):
        run = project.pulumi(*command)
        assert run.returncode == 0, run.stderr
    return project


@pytest.fixture
def project(configured: Project) -> Iterator[Project]:
    """The same, with whatever a test changes in the stack file undone."""
    file = configured.folder / "Pulumi.dev.yaml"
    before = file.read_text()
    yield configured
    file.write_text(before)


def test_project_and_token_are_all_that_a_shipped_stack_file_needs(project: Project, tmp_path: Path) -> None:
    with serve_cloud(tmp_path / "cloud.json") as port:
        run = project.pulumi("preview", cloud=port)
    text = run.stdout + run.stderr
    assert run.returncode == 0, text
    assert "gemma-3-1b-server" in text and "l4-pool" in text
    assert TOKEN not in text


@pytest.mark.parametrize(
    ("change", "where", "advice"),
    [
        (["rm", "project"], "inference-platform:project: is missing", "pulumi config set inference-platform:project"),
        (["rm", "huggingFaceToken"], "inference-platform:huggingFaceToken: is missing", "config set --secret"),
        (["set", "huggingFaceToken", TOKEN, "--plaintext"], "huggingFaceToken: stands there in plain text", "Revoke"),
        (["set", "project", "Acme"], "inference-platform:project: 'Acme'", "6 to 30 lower-case letters"),
        (["set", "projet", "acme"], "inference-platform:projet: is no key", "Did you mean project?"),
        (["set", "nodePools", "three"], "inference-platform:nodePools", "not 'three'"),
        (["set", "--path", "nodePools[0].nodes", "many"], "inference-platform:nodePools[0].nodes", "many"),
    ],
)
def test_each_mistake_is_one_error_and_creates_nothing(
    project: Project, tmp_path: Path, change: list[str], where: str, advice: str
) -> None:
    changed = project.pulumi("config", *change)
    assert changed.returncode == 0, changed.stderr
    with serve_cloud(tmp_path / "cloud.json") as port:
        run = project.pulumi("up", "--yes", "--skip-preview", cloud=port)
    text = run.stdout + run.stderr
    assert run.returncode != 0
    assert where in text and advice in text, text
    assert "Traceback" not in text
    assert TOKEN not in text
    backend = project.folder.parent / "backend"
    assert '"gcp:' not in "".join(file.read_text() for file in backend.rglob("*.json"))
