"""Holds what the client saw against the objective, beside what the plan expects."""

from dataclasses import dataclass
from math import sqrt

from planning.performance.expected import ExpectedService
from verification.load.client import Seen


@dataclass(frozen=True)
class Line:
    figure: str
    wanted: str
    expected: str
    seen: str
    met: bool


def verdict(expected: ExpectedService, seen: Seen) -> tuple[Line, ...]:
    """One line for each part of the objective, and one for requests that failed."""
    wanted = expected.objective
    least = wanted.requests_per_second * (1 - 3 / sqrt(max(seen.requests, 9)))
    return (
        Line(
            "first token, ms (mean)",
            f"at most {wanted.time_to_first_token:g}",
            f"{expected.first_token_ms:g} (up to {expected.first_token_ms_at_worst:g})",
            f"{seen.first_token_ms:.1f}",
            seen.first_token_ms <= wanted.time_to_first_token,
        ),
        Line(
            "each further token, ms (mean)",
            f"at most {wanted.time_per_output_token:g}",
            f"{expected.per_token_ms:g} (up to {expected.per_token_ms_at_worst:g})",
            f"{seen.per_token_ms:.2f}",
            seen.per_token_ms <= wanted.time_per_output_token,
        ),
        Line(
            "answers a second",
            f"{wanted.requests_per_second:g} asked, {least:.2f} by chance",
            f"up to {expected.requests_per_second_at_worst:g}",
            f"{seen.requests_per_second:.2f}",
            # Requests came at random: of so many the rate is off by three standard deviations at most.
            seen.requests_per_second >= least,
        ),
        Line("requests that failed", "0", "0", f"{seen.errors} of {seen.requests + seen.errors}", seen.errors == 0),
    )


def table(lines: tuple[Line, ...], *, simulated: bool) -> str:
    """The lines as a table for a terminal. What a stand-in answers is never called a measurement."""
    rows = [("", "objective", "plan (estimate)", "simulated" if simulated else "measured", "")]
    rows += [(line.figure, line.wanted, line.expected, line.seen, "met" if line.met else "MISSED") for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
