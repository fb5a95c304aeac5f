"""Docstrings, comments and pages are written for people to whom English is a second language."""

import re
import subprocess
from pathlib import Path

from tests.unit.google_rules import CHECKOUT

HARD_WORDS = (
    "anew",
    "aught",
    "befall",
    "befalls",
    "farewell",
    "forthwith",
    "hence",
    "lest",
    "naught",
    "thereof",
    "twin",
    "twins",
    "unto",
    "whence",
    "as it were",
    "at will",
    "are had",
    "be had",
    "is had",
    "they are had",
    "nobody's business",
    "of all of them together",
)
"""Old, rare or idiomatic: each has a plain word that says the same."""
HARD = re.compile(rf"\b({'|'.join(HARD_WORDS)})\b", re.IGNORECASE)
HANGING = re.compile(r'^\s*"""(Of|That|None|None:|By which|For people|As a|As in|Until all|Such as) ')
"""A docstring that only continues the name above it, or says when there is nothing before it says what there is."""


def _lines(*endings: str) -> list[tuple[str, int, str]]:
    """All lines of the files with these endings, each with its file and number."""
    listed = ["git", "ls-files", "-z", *(f"*.{ending}" for ending in endings)]
    names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split("\0")
    files = [name for name in names if name and name != Path(__file__).relative_to(CHECKOUT).as_posix()]
    return [
        (name, number, line)
        for name in files
        if (CHECKOUT / name).is_file()
        for number, line in enumerate((CHECKOUT / name).read_text(encoding="utf-8").splitlines(), 1)
    ]


def test_no_docstring_comment_or_page_has_a_hard_word() -> None:
    lines = _lines("py", "md")
    assert len({name for name, _, _ in lines}) > 400
    assert [f"{name}:{number}: {line.strip()}" for name, number, line in lines if HARD.search(line)] == []


def test_every_docstring_says_first_what_something_is() -> None:
    lines = _lines("py")
    assert sum('"""' in line for _, _, line in lines) > 2000
    assert [f"{name}:{number}: {line.strip()}" for name, number, line in lines if HANGING.match(line)] == []
