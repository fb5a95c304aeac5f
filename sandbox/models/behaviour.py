"""How a simulated model server misbehaves on demand. Tests and people write it into an annotation of its pod."""

import re
from dataclasses import dataclass

ANNOTATION = "sandbox/behaviour"

_SECONDS = re.compile(r"(slow-start|slow-tokens|first-token)=(\d+(?:\.\d+)?)s")


class UnknownBehaviour(ValueError):
    """The text names no behaviour; the message says what can be written."""


@dataclass(frozen=True)
class Behaviour:
    """The ways in which a server misbehaves.

    `slow_start`: the seconds in which nobody listens, as while weights are loaded. `slow_tokens`: the seconds for each
    token. `first_token`: the seconds for the first token, if it takes another time. `stall`: it accepts requests and
    never generates, while its probes succeed. `fail`: the engine is dead, which requests and /health report, while
    /v1/models still answers.
    """

    slow_start: float = 0.0
    slow_tokens: float | None = None
    first_token: float | None = None
    stall: bool = False
    fail: bool = False

    @classmethod
    def parse(cls, text: str) -> "Behaviour":
        """Parses `slow-start=20s`, `slow-tokens=0.2s`, `first-token=1s`, `stall` or `fail`, or several with commas.

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
                    f"{part!r} is no behaviour; write slow-start=20s, slow-tokens=0.2s, first-token=1s, stall or fail"
                )
        return cls(
            slow_start=seconds.get("slow-start", 0.0),
            slow_tokens=seconds.get("slow-tokens"),
            first_token=seconds.get("first-token"),
            stall="stall" in words,
            fail="fail" in words,
        )
