"""A new environment is one stack file: the workflows find it by its label, and where they cannot, a test misses it."""

import os
import re
import subprocess

import pytest
import yaml

from config import NAMESPACE, stack_names
from tests.unit.google_rules import CHECKOUT

WORKFLOWS = CHECKOUT / ".github" / "workflows"


def environments() -> list[str]:
    files = {stack: CHECKOUT / f"Pulumi.{stack}.yaml" for stack in stack_names(CHECKOUT)}
    contents = {stack: yaml.safe_load(file.read_text(encoding="utf-8"))["config"] for stack, file in files.items()}
    return [stack for stack, config in contents.items() if "environment" in config.get(f"{NAMESPACE}:labels", {})]


ENVIRONMENTS = environments()


def workflow(name: str) -> str:
    return (WORKFLOWS / name).read_text(encoding="utf-8")


def test_the_script_finds_every_stack_with_the_label_and_no_other() -> None:
    found = subprocess.run([CHECKOUT / "pipelines" / "environments.sh"], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ENVIRONMENTS
    assert len(ENVIRONMENTS) > 2


def test_every_environment_has_its_turn_when_something_is_merged() -> None:
    jobs = yaml.safe_load(workflow("merge.yml"))["jobs"]
    assert {job["with"]["stack"] for job in jobs.values()} == set(ENVIRONMENTS)
    assert sum("needs" not in job for job in jobs.values()) == 1, "each but the first waits for another"


@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_every_environment_can_be_destroyed_by_hand_and_nothing_else(stack: str) -> None:
    assert confirmed(stack, stack)
    assert not confirmed(stack, "") and not confirmed(stack, f"{stack}x")
    assert not confirmed("h200", "h200"), "the stack of an accelerator is nobody's environment"
    assert not confirmed(stack[:-1], stack[:-1]) and not confirmed("", "") and not confirmed("-e", "-e")


def test_nothing_is_destroyed_before_the_names_were_compared() -> None:
    jobs = yaml.safe_load(workflow("destroy.yml"))["jobs"]
    assert jobs["confirm"]["steps"][-1]["run"] == "pipelines/confirm-destroy.sh"
    assert jobs["destroy"]["needs"] == "confirm"


def confirmed(stack: str, confirm: str) -> bool:
    script = CHECKOUT / "pipelines" / "confirm-destroy.sh"
    environment = {**os.environ, "STACK": stack, "CONFIRM": confirm}
    return subprocess.run([script], env=environment, capture_output=True, check=False).returncode == 0


def test_no_other_workflow_or_script_lists_environments_by_itself() -> None:
    files = [*WORKFLOWS.glob("*.yml"), *(CHECKOUT / "pipelines").glob("*.sh")]
    words = {file.name: set(re.findall(r"[a-z-]+", _without_comments(file.read_text("utf-8")))) for file in files}
    assert {name for name, named in words.items() if {"staging", "production"} & named} == {"merge.yml"}


def _without_comments(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text)
