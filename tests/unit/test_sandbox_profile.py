"""What the sandbox knows of the platform is the profile that it is given, and the profile is the platform's."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.manifests import labels
from config import NAMESPACE, Settings
from config.settings import HUGGING_FACE_TOKEN
from sandbox.cloud import InvalidTable
from sandbox.cluster.workloads import Jobs, ModelServers, Workloads
from sandbox.profile import FILE, Profile, read_profile
from tests.unit.google_rules import CHECKOUT

PROFILE = read_profile(CHECKOUT)
THE_SANDBOXS_OWN = {
    *("project", "token", "protection", "cluster", "network", "models"),
    # Charts of the sandbox's, and a command of its own.
    *("lws", "nvidia-dra-driver-gpu", "preflight"),
    # The one interpreter that it has for programs of pods, and its flag.
    *("python3", "-c"),
}
"""Words that mean something without this program."""
SUFFIXES = {".py", ".sh", ".yaml", ".tpl", ".go"}
KEYS = {field.alias or name for name, field in Settings.model_fields.items()}


def test_every_key_that_the_profile_names_is_one_of_the_stack_files() -> None:
    named = {PROFILE.project, PROFILE.token_elsewhere, PROFILE.protection, *PROFILE.joins, *PROFILE.charts}
    assert named <= KEYS
    assert (PROFILE.namespace, PROFILE.token) == (NAMESPACE, HUGGING_FACE_TOKEN)


def test_the_modules_that_the_profile_names_are_there() -> None:
    for module in (PROFILE.doctor, PROFILE.reservations, PROFILE.verify, PROFILE.preflight, PROFILE.load):
        assert module is not None
        path = CHECKOUT / module.replace(".", "/")
        assert (path / "__main__.py").is_file() or path.with_suffix(".py").is_file()


def test_the_labels_of_the_profile_are_those_that_the_platform_writes() -> None:
    servers, jobs = PROFILE.workloads.model_servers, PROFILE.workloads.jobs
    assert servers is not None and jobs is not None
    assert (servers.name_label, jobs.label) == (labels.INSTANCE, labels.JOB)


def test_the_program_that_fetches_weights_to_a_node_is_one_that_really_runs() -> None:
    known = PROFILE.workloads.init_containers
    graph = yaml.safe_load((CHECKOUT / "tests/graph/snapshots/a100-80gb.yaml").read_text())["resources"]
    templates = [each["inputs"]["spec"]["template"] for name, each in graph.items() if "apps/v1:Deployment " in name]
    containers = [each for template in templates for each in template["spec"].get("initContainers", [])]
    assert known is not None
    assert [each["name"] for each in containers if known.holds(each)] == ["weights"]


def test_no_word_of_the_profile_stands_in_the_sandbox() -> None:
    words = "|".join(re.escape(word) for word in sorted(_words() - THE_SANDBOXS_OWN))
    pattern = re.compile(rf"(?<![\w./-])({words})(?![\w-])")
    files = [file for file in (CHECKOUT / "sandbox").rglob("*") if file.suffix in SUFFIXES and _counts(file)]
    assert len(files) > 100
    found = {
        (str(file.relative_to(CHECKOUT)), match[1])
        for file in files
        for match in pattern.finditer(file.read_text(encoding="utf-8"))
    }
    assert found == set()


def _words() -> set[str]:
    """All names that the profile gives; the command that starts a server as one."""
    content = yaml.safe_load((CHECKOUT / FILE).read_text(encoding="utf-8"))
    command = content["workloads"]["modelServers"].pop("command")
    quoted = ", ".join(f'"{word}"' for word in command)
    return {" ".join(command), quoted, *content["charts"], *_strings(content)}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _counts(file: Path) -> bool:
    """The tools are kept under the name of the repository, in which the sandbox is kept too."""
    return "tools" not in file.relative_to(CHECKOUT).parts


def test_the_readme_explains_every_key() -> None:
    text = (CHECKOUT / "sandbox" / "README.md").read_text(encoding="utf-8")
    models = (Profile, Workloads, ModelServers, Jobs)
    fields = [str(field.alias) for model in models for field in model.model_fields.values()]
    assert [name for name in fields if not re.search(rf"`([\w.]+\.)?{name}`", text)] == []


def test_a_profile_with_a_mistake_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidTable, match=FILE):
        read_profile(tmp_path)
    (tmp_path / FILE).write_text("namespaces: x\n", encoding="utf-8")
    with pytest.raises(InvalidTable, match="namespaces"):
        read_profile(tmp_path)
