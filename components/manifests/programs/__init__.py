"""Programs that run in a container by `python3 -c`: they need no shell and no image of our own, only the standard
library."""

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def source(name: str) -> str:
    """The text of a program of this folder."""
    return (_HERE / f"{name}.py").read_text(encoding="utf-8")
