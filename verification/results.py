"""What a check can find, and the table of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "FAILED"
    NOT_OBSERVABLE = "not observable"


class NotObservable(Exception):
    """What the check looks at cannot be seen from here; the message says why."""


class CheckFailed(Exception):
    """What the check looks at is not as it should be; the message says how it is."""


@dataclass(frozen=True)
class Result:
    """`subject` is what was looked at: the cluster, or a model by its name. `detail`: what was seen, or why nothing."""

    subject: str
    check: str
    status: Status
    detail: str


def table(results: Sequence[Result]) -> str:
    """For a terminal: columns, and the count of each status in the last line."""
    rows = [("SUBJECT", "CHECK", "RESULT", "DETAIL")]
    rows += [(each.subject, each.check, each.status.value, " ".join(each.detail.split())) for each in results]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    ]
    counts = ", ".join(f"{_count(results, status)} {status.value.lower()}" for status in Status)
    return "\n".join([*lines, "", f"{counts} here"])


def failed(results: Iterable[Result]) -> bool:
    return any(result.status is Status.FAILED for result in results)


def _count(results: Iterable[Result], status: Status) -> int:
    return sum(result.status is status for result in results)
