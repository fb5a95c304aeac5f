"""Facts that the program takes from a source and that nobody has seen at Google, with the check that will confirm or
deny each."""

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.source import read_yaml


class Confirmation(StrEnum):
    """Commands that look at Google itself."""

    DOCTOR = "doctor"
    VERIFY = "verify"


class Seen(Entry):
    """A row of a command's table, by the text, or the beginning of it, in its column CHECK."""

    by: Confirmation
    row: str


class Assumption(Entry):
    choice: str = Field(description="what the program does or writes, and believes of Google")
    sources: tuple[str, ...] = Field(description="keys of sources.yaml")
    seen: tuple[Seen, ...] = Field(description="any of these rows confirms or denies it")


@cache
def assumptions() -> tuple[Assumption, ...]:
    rows = read_yaml(Path(__file__).parent / "assumptions.yaml")
    return tuple(Assumption.model_validate(row, by_alias=True, by_name=False) for row in rows)
