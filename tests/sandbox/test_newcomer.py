"""A newcomer's walk: the commands of README.md and docs/operations.md as they stand there, one after the other."""

import re
import subprocess

import pytest

from tests.sandbox.conftest import Checkout
from tests.unit.test_docs_commands import WALKED, walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def typed(checkout: Checkout, line: str) -> str:
    run = subprocess.run(line, shell=True, cwd=checkout.folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
    return run.stdout


@pytest.mark.parametrize("page", WALKED)
def test_every_command_of_the_page_works_in_its_order(checkout: Checkout, page: str) -> None:
    lines = walk(page)
    assert len(lines) > 3
    for line in lines:
        typed(checkout, line)
    assert not (checkout.folder / ".sandbox").exists()


def test_bare_make_lists_what_a_person_may_want(checkout: Checkout) -> None:
    listed = set(re.findall(r"^  make ([a-z-]+)", typed(checkout, "make"), re.MULTILINE))
    assert {"setup", "plan", "up", "verify", "destroy", "test"} <= listed


def test_the_pages_that_are_made_are_todays(checkout: Checkout) -> None:
    checkout.succeed("record", "h200", PART="docs")
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=checkout.folder, capture_output=True, text=True, check=True
    )
    assert changed.stdout == ""
