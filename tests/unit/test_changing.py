"""The table of usual changes names files, commands and tests that are there."""

import re
from pathlib import Path

import pytest

from maintenance.record import PARTS
from tests.unit.google_rules import CHECKOUT

PAGE = (CHECKOUT / "docs" / "changing.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.split("## Files that are made")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| Change", "| ---"))
]
NAMES = [row[0] for row in ROWS]
PLACEHOLDERS = ("NAME", "VERSION", "REGION", "ORGANISATION")
TARGETS = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def is_there(path: str) -> bool:
    """Whether there is such a file; a word that is to be replaced stands for any."""
    pattern = path
    for word in PLACEHOLDERS:
        pattern = pattern.replace(word, "*")
    folders = ("", ".github/workflows")
    return any(any(Path(CHECKOUT, folder).glob(pattern.rstrip("/"))) for folder in folders)


def test_there_are_nine_of_them() -> None:
    assert len(ROWS) == 9
    assert all(len(row) == 5 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_place_is_there(row: list[str]) -> None:
    paths = [word for word in words(f"{row[1]} {row[3]}") if "/" in word.split("@")[0] and " " not in word]
    paths += [word for word in words(row[1]) if re.fullmatch(r"[\w.]+\.(yml|yaml|py)", word)]
    assert paths
    assert [path for path in paths if not is_there(path)] == []


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_change_has_one_or_two_places_but_for_those_that_the_page_explains(row: list[str]) -> None:
    numbers = [int(number) for number in re.findall(r"\d", row[2])]
    assert numbers and max(numbers) <= {"an accelerator": 3, "a kind of capacity": 4}.get(row[0], 2)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_command_is_there(row: list[str]) -> None:
    for command in (word for word in words(row[3]) if word.startswith("make ")):
        target = command.split()[1]
        assert target in TARGETS, command
        parts = re.findall(r'PART="?([a-z ]+)"?', command)
        assert set(" ".join(parts).split()) <= {part.name for part in PARTS}, command


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_test_that_notices_is_there(row: list[str]) -> None:
    tests = [word for word in words(row[4]) if word.endswith(".py")]
    assert tests
    assert [test for test in tests if not any(CHECKOUT.glob(test if "/" in test else f"tests/*/{test}"))] == []
