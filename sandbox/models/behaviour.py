"""How a simulated model server misbehaves on demand, as tests and curious people write it on its pod."""

import re
from dataclasses import dataclass

ANNOTATION = "sandbox/behaviour"

_SLOW_START = re.compile(r"slow-start=(\d+(?:\.\d+)?)s")


class UnknownBehaviour(ValueError):
    """The message says what could be written instead."""


@dataclass(frozen=True)
class Behaviour:
    """`slow_start`: seconds in which nobody listens, as while weights are loaded.

    `stall`: takes requests and never generates, with healthy probes. `fail`: the engine is dead, so that requests and
    /health say so, while /v1/models still answers.
    """

    slow_start: float = 0.0
    stall: bool = False
    fail: bool = False

    @classmethod
    def parse(cls, text: str) -> "Behaviour":
        """Of `slow-start=20s`, `stall` or `fail`, or several with commas. Raises UnknownBehaviour."""
        slow_start, words = 0.0, set[str]()
        for part in filter(None, (part.strip() for part in text.split(","))):
            if match := _SLOW_START.fullmatch(part):
                slow_start = float(match[1])
            elif part in ("stall", "fail"):
                words.add(part)
            else:
                raise UnknownBehaviour(f"{part!r} is no behaviour; write slow-start=20s, stall or fail")
        return cls(slow_start, "stall" in words, "fail" in words)
