"""A program that is not this repository's comes up in the sandbox, by nothing but a profile of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import CHECKOUT

pytestmark = pytest.mark.timeout(600)

PROGRAM = Path(__file__).with_name("other_program")


class Program:
    """A folder with the program and no more; the sandbox is on the import path, as an installed package would be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sandbox", command, "--stack", "test", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, command: str, *arguments: str) -> str:
        run = self.run(command, *arguments)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def kubectl(self, *arguments: str) -> str:
        return self.succeed("kubectl", "--", *arguments)


@pytest.fixture(scope="module")
def said(program: Program) -> str:
    return program.succeed("up")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("other") / "program"
    shutil.copytree(PROGRAM, folder)
    made = Program(folder)
    yield made
    made.run("destroy")


def test_it_is_told_how_to_go_on_by_the_sandboxs_own_command(said: str) -> None:
    assert "python -m sandbox destroy --stack test" in said
    assert "make " not in said and "python -m sandbox verify" not in said


def test_its_own_command_line_starts_a_model_server(program: Program, said: str) -> None:
    path = "/api/v1/namespaces/default/services/http:chat:9000/proxy/v1/models"
    assert [card["id"] for card in json.loads(program.kubectl("get", "--raw", path))["data"]] == ["acme/tiny"]


def test_a_job_of_its_own_label_really_runs_and_another_is_said_to_have(program: Program, said: str) -> None:
    assert program.kubectl("logs", "job/asks") == "['acme/tiny']\n"
    pods = json.loads(program.kubectl("get", "pods", "--output=json"))["items"]
    ended = {pod["metadata"]["labels"]["acme.example/runs"]: pod["status"]["phase"] for pod in pods if _is_job(pod)}
    assert ended == {"migration": "Succeeded", "backup": "Succeeded"}


def test_its_servers_misbehave_by_the_name_that_its_own_label_gives(program: Program, said: str) -> None:
    program.succeed("behave", "--model", "chat", "fail")
    program.kubectl("wait", "--for=condition=Available=False", "--timeout=60s", "deployment/chat")
    program.succeed("behave", "--model", "chat")
    program.kubectl("wait", "--for=condition=Available", "--timeout=60s", "deployment/chat")


def test_a_check_that_it_does_not_have_is_named(program: Program, said: str) -> None:
    run = program.run("verify")
    assert (run.returncode, run.stderr) == (
        1,
        "error: sandbox.profile.yaml names no module under verify, so there is nothing to run\n",
    )


def test_a_second_up_changes_nothing_and_destroy_leaves_nothing(program: Program, said: str) -> None:
    assert "unchanged" in program.succeed("up")
    program.succeed("destroy")
    assert not (program.folder / ".sandbox").exists()
    assert program.run("status").stdout.endswith("`python -m sandbox up --stack test` builds it\n")


def _is_job(pod: dict[str, dict[str, dict[str, str]]]) -> bool:
    return "acme.example/runs" in pod["metadata"]["labels"]
