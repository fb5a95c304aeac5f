"""Each command of README and docs is one that a test runs against the sandbox, or says that it needs Google."""

import re
from dataclasses import dataclass

import pytest

from config import stack_names
from tests.unit.google_rules import CHECKOUT

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
GOOGLE = ("pulumi", "gcloud", "cd", "make", "sh", ".venv/bin/python")
"""What a block that is marked `google` may start with."""
WALKED = ("README.md", "operations.md")
"""Pages whose commands tests/sandbox/test_newcomer.py types one after the other."""
NOT_BY_A_TEST = {
    "test": "it is what runs the tests",
    "test-slow": "it is what runs the slow ones",
    "test-vllm": "it is a test, of 9 GB",
    "record-models": "it asks 9 GB of vLLM for minutes to hours; tests/vllm/test_oracle.py asks a sample",
    "compare-models": "the same; tests/unit/test_oracle.py runs what it calls",
    "check": "the pipeline runs it before them",
    "bench": "it measures",
    "report": "tests/sandbox/test_review.py runs what it calls",
    "lint-manifests": "public linters over every stack take minutes",
    "lock-images": "tests/unit/test_lock_images.py runs what it calls",
    "prune-tools": "tests/unit/test_tools_cache.py runs what it calls",
    "torture": "it kills for hours; tests/sandbox/test_interruption.py tries four of its moments",
    "audit": "it asks an advisory database on the internet",
    "sbom": "its tools come from the package index into an environment of their own",
    "lint-pipelines": "it is the test of the pipelines",
}


@dataclass(frozen=True)
class Command:
    page: str
    line: str
    google: bool


def commands() -> list[Command]:
    found: list[Command] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for info, body in re.findall(r"^```(sh[^\n]*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            lines = [line.split(" #")[0].strip() for line in body.splitlines()]
            found += [Command(page.name, line, info == "sh google") for line in lines if line]
        indented = re.findall(r"^ {4}((?:make|python -m) .*)$", text, re.MULTILINE)
        inline = re.findall(r"`(make [a-z][^`]*)`", text)
        found += [Command(page.name, line, google=False) for line in [*indented, *inline]]
    return list(dict.fromkeys(found))


COMMANDS = commands()
TARGETS = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
TESTED = {
    target
    for file in (CHECKOUT / "tests" / "sandbox").glob("*.py")
    for target in re.findall(r'(?:succeed|make)\(\s*"([a-z-]+)"', file.read_text(encoding="utf-8"))
}


def walk(page: str) -> list[str]:
    """What can be typed here, in the page's order; an example of a stack that the reader has yet to write cannot."""
    lines = [each.line for each in COMMANDS if each.page == page and not each.google and each.line.startswith("make ")]
    mine = [line for line in lines if line.split()[1] not in NOT_BY_A_TEST]
    return [line for line in mine if not re.search(r"=(joined|s|NAME)\b", line)]


def google_walk(page: str) -> list[str]:
    """What can be typed on a machine of one's own, with Google at the other end, in the page's order."""
    return [each.line for each in COMMANDS if each.page == page and each.google]


TESTED |= {line.split()[1] for page in WALKED for line in walk(page)}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: f"{each.page}: {each.line[:50]}")
def test_a_command_of_the_docs_is_run_by_a_test_or_needs_google(command: Command) -> None:
    words = command.line.split()
    if command.google:
        assert words[0] in GOOGLE
    elif words[0] == "make":
        assert words[1] in TARGETS
        assert words[1] in TESTED | NOT_BY_A_TEST.keys(), f"no test runs make {words[1]}"
    else:
        assert words[:2] == ["python", "-m"]
        assert (CHECKOUT / words[2].replace(".", "/")).exists() or (
            CHECKOUT / f"{words[2].replace('.', '/')}.py"
        ).is_file()


def test_a_stack_that_a_command_names_has_a_file() -> None:
    stacks = set(stack_names(CHECKOUT))
    made_by_tests = {"joined", "s"}
    named = {name for command in COMMANDS for name in re.findall(r"(?:STACK|CLOUD|CONFIRM)=([a-z0-9-]+)", command.line)}
    assert named <= stacks | made_by_tests


def test_every_target_that_a_person_calls_is_described() -> None:
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert [
        name for name in TARGETS if f"\n{name}:" in text and not re.search(rf"^{name}:.*## ", text, re.MULTILINE)
    ] == []


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
