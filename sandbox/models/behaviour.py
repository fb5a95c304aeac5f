"""How a simulated model server misbehaves on demand, as tests and curious people write it on its pod."""

import re
from dataclasses import dataclass

ANNOTATION = "sandbox/behaviour"

_SECONDS = re.compile(r"(slow-start|slow-tokens)=(\d+(?:\.\d+)?)s")


class UnknownBehaviour(ValueError):
    """The message says what could be written instead."""


@dataclass(frozen=True)
class Behaviour:
    """`slow_start`: seconds in which nobody listens, as while weights are loaded.

    `slow_tokens`: seconds for each token. `stall`: takes requests and never generates, with healthy probes. `fail`: the
    engine is dead, so that requests and /health say so, while /v1/models still answers.
    """

    slow_start: float = 0.0
    slow_tokens: float | None = None
    stall: bool = False
    fail: bool = False

    @classmethod
    def parse(cls, text: str) -> "Behaviour":
        """Of `slow-start=20s`, `slow-tokens=0.2s`, `stall` or `fail`, or several with commas.

        Raises UnknownBehaviour.
        """
        seconds, words = dict[str, float](), set[str]()
        for part in filter(None, (part.strip() for part in text.split(","))):
            if match := _SECONDS.fullmatch(part):
                seconds[match[1]] = float(match[2])
            elif part in ("stall", "fail"):
                words.add(part)
            else:
                raise UnknownBehaviour(
                    f"{part!r} is no behaviour; write slow-start=20s, slow-tokens=0.2s, stall or fail"
                )
        return cls(seconds.get("slow-start", 0.0), seconds.get("slow-tokens"), "stall" in words, "fail" in words)
