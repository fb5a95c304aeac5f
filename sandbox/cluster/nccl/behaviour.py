"""How a simulated NCCL test goes; by default as Google shows it."""

import re
from dataclasses import dataclass

FORMS = "busbw=4, hang, silent, wrong or crash"


class UnknownBehaviour(ValueError):
    """The text names no behaviour; the message lists those there are."""


@dataclass(frozen=True)
class NcclBehaviour:
    gbytes_per_second: float | None = None
    """The highest bus bandwidth that the test shows, in GB/s. None: the figure that Google shows for such nodes."""
    hang: bool = False
    """The test goes on until it is told otherwise."""
    silent: bool = False
    """The test succeeds and prints no result."""
    wrong: bool = False
    """The test finds wrong values and fails."""
    crash: bool = False

    @classmethod
    def parse(cls, text: str) -> "NcclBehaviour":
        """The behaviour that a text describes. Raises UnknownBehaviour."""
        wish = text.strip()
        if speed := re.fullmatch(r"busbw=(\d+(?:\.\d+)?)", wish):
            return cls(gbytes_per_second=float(speed[1]))
        if wish in ("hang", "silent", "wrong", "crash"):
            return cls(**{wish: True})
        if wish:
            raise UnknownBehaviour(f"{text!r} is no way for a test between nodes to go; write {FORMS}")
        return cls()
