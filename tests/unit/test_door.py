"""What a stranger finds at the door: all rooms named, a licence, a version, forms to fill in, and a template."""

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from config import NAMESPACE, Settings
from config.settings import HUGGING_FACE_TOKEN
from tests.unit.google_rules import CHECKOUT

PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted((CHECKOUT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def test_the_readme_names_every_room() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    rooms = {line.split("/")[0] for line in listed.splitlines() if "/" in line and not line.startswith(".")}
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert len(rooms) > 10
    assert {room for room in rooms if f"\n| `{room}/` |" not in readme} == set()


def test_the_newest_version_of_the_changelog_is_the_projects() -> None:
    lines = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    newest = next(line for line in lines if line.startswith("## "))
    assert newest.split()[1] == PROJECT["version"]


def test_the_licence_that_the_project_names_is_there_whole() -> None:
    text = (CHECKOUT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.stem)
def test_a_form_asks_each_question_once(file) -> None:
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert ids and len(ids) == len(set(ids))


def test_a_new_project_is_asked_for_exactly_what_no_shipped_stack_file_can_have() -> None:
    template = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text(encoding="utf-8"))["template"]
    asked: dict[str, Any] = template["config"]
    # Of another project's name a short key would be in that project's namespace, where nothing reads it.
    assert asked.keys() == {f"{NAMESPACE}:project", f"{NAMESPACE}:{HUGGING_FACE_TOKEN}"}
    assert "project" in Settings.model_fields
    assert {key for key, question in asked.items() if question.get("secret")} == {f"{NAMESPACE}:{HUGGING_FACE_TOKEN}"}


def test_every_test_and_place_that_the_page_of_changes_names_is_there() -> None:
    text = (CHECKOUT / "docs" / "changing.md").read_text(encoding="utf-8")
    tests = set(re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", text))
    assert len(tests) > 8 and tests <= {file.name for file in (CHECKOUT / "tests").rglob("test_*.py")}
    places = {place for place in re.findall(r"`([\w./-]+/[\w./-]*)`", text) if not re.search("[A-Z]{2}", place)}
    assert len(places) > 10 and [place for place in places if not (CHECKOUT / place).exists()] == []
