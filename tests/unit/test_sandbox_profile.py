"""What the sandbox knows of the platform is the profile that it is given, and the profile is the platform's."""

import re
from pathlib import Path

import pytest

from config import NAMESPACE, Settings
from config.settings import HUGGING_FACE_TOKEN
from sandbox.cloud import InvalidTable
from sandbox.profile import FILE, Profile, read_profile
from tests.unit.google_rules import CHECKOUT

PROFILE = read_profile(CHECKOUT)
KEYS = {field.alias or name for name, field in Settings.model_fields.items()}


def test_every_key_that_the_profile_names_is_one_of_the_stack_files() -> None:
    named = {PROFILE.project, PROFILE.token_elsewhere, PROFILE.protection, *PROFILE.joins, *PROFILE.charts}
    assert named <= KEYS
    assert (PROFILE.namespace, PROFILE.token) == (NAMESPACE, HUGGING_FACE_TOKEN)


def test_the_modules_that_check_what_is_up_are_there() -> None:
    for module in (PROFILE.verify, PROFILE.preflight):
        path = CHECKOUT / module.replace(".", "/")
        assert (path / "__main__.py").is_file() or path.with_suffix(".py").is_file()


def test_no_key_of_the_platforms_stack_files_stands_in_the_sandbox() -> None:
    pattern = re.compile(rf'"({NAMESPACE}:|{HUGGING_FACE_TOKEN}|leaderWorkerSet"|draDriver")')
    files = (CHECKOUT / "sandbox").rglob("*.py")
    assert [file.name for file in files if pattern.search(file.read_text(encoding="utf-8"))] == []


def test_the_readme_explains_every_key() -> None:
    text = (CHECKOUT / "sandbox" / "README.md").read_text(encoding="utf-8")
    assert [name for name, field in Profile.model_fields.items() if f"`{field.alias}`" not in text] == []


def test_a_profile_with_a_mistake_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidTable, match=FILE):
        read_profile(tmp_path)
    (tmp_path / FILE).write_text("namespaces: x\n", encoding="utf-8")
    with pytest.raises(InvalidTable, match="namespaces"):
        read_profile(tmp_path)
