"""This repository as a template: `pulumi new` makes a project of somebody's own of it, which can be previewed."""

from pathlib import Path

import pytest
import yaml

from sandbox.cloud import serve_cloud
from tests.sandbox.conftest import copy_checkout
from tests.sandbox.plain_cli import Project

pytestmark = pytest.mark.timeout(300)

TOKEN = "hf_canaryofanewproject"


def test_a_project_of_another_name_is_asked_little_and_can_be_previewed(tmp_path: Path) -> None:
    # Without what git leaves out, as the CLI would clone it.
    template = copy_checkout(tmp_path / "template").folder
    (template / ".venv").unlink()
    project = Project(tmp_path / "acme", tmp_path / "backend")
    for folder in (project.folder, tmp_path / "backend"):
        folder.mkdir()
    made = project.run(
        *("pulumi", "new", str(template), "--yes", "--name", "acme", "--stack", "dev"),
        *("--config", "inference-platform:project=acme-inference", "--secrets-provider", "passphrase"),
    )
    assert made.returncode == 0, made.stderr
    assert "The stack dev is ready" in made.stdout
    content = yaml.safe_load((project.folder / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert content["name"] == "acme" and "template" not in content
    token = project.pulumi("config", "set", "--secret", "inference-platform:huggingFaceToken", TOKEN)
    assert token.returncode == 0, token.stderr
    with serve_cloud(tmp_path / "cloud.json") as port:
        preview = project.pulumi("preview", cloud=port)
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "l4-pool" in preview.stdout and "gemma-3-1b-server" in preview.stdout
    assert TOKEN not in preview.stdout + preview.stderr
