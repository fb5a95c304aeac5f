"""How a simulated NCCL test goes; by default as Google shows it."""

import re
from dataclasses import dataclass

FORMS = "busbw=4, hang, silent, wrong or crash"


class UnknownBehaviour(ValueError):
    """The text names none; the message lists those there are."""


@dataclass(frozen=True)
class NcclBehaviour:
    gbytes_per_second: float | None = None
    """The peak of its bus bandwidth; None: as Google shows it."""
    hang: bool = False
    """It does not end until it may."""
    silent: bool = False
    """It ends well and says nothing."""
    wrong: bool = False
    """Values come out wrong."""
    crash: bool = False

    @classmethod
    def parse(cls, text: str) -> "NcclBehaviour":
        """Of what somebody wrote. Raises UnknownBehaviour."""
        wish = text.strip()
        if speed := re.fullmatch(r"busbw=(\d+(?:\.\d+)?)", wish):
            return cls(gbytes_per_second=float(speed[1]))
        if wish in ("hang", "silent", "wrong", "crash"):
            return cls(**{wish: True})
        if wish:
            raise UnknownBehaviour(f"{text!r} is no way for a test between nodes to go; write {FORMS}")
        return cls()
