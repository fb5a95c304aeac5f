"""The sources of the catalogue's facts; entries name them by these keys."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from catalog._entry import Entry

_LOADER = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_FILE = Path(__file__).parent / "sources.yaml"


class Source(Entry):
    """One document or table; `read` is the date of its state, not of our reading, where that is known."""

    title: str
    address: str | None = None
    read: date | None = None
    note: str | None = None


def read_yaml(file: Path) -> Any:
    """The data of a YAML file, by the fast loader where libyaml is there."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)


@cache
def sources() -> dict[str, Source]:
    """Every source by its key."""
    rows = read_yaml(_FILE)
    return {key: Source.model_validate(row, by_alias=True, by_name=False) for key, row in rows.items()}
