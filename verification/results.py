"""The results of checks, and their table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "FAILED"
    NOT_OBSERVABLE = "not observable"


class NotObservable(Exception):
    """The subject of a check cannot be seen from here; the message says why."""


class CheckFailed(Exception):
    """The subject of a check is not as it should be; the message says how it is."""


@dataclass(frozen=True)
class Result:
    """One result. `subject` is the cluster, or a model by its name; `detail` is what was seen, or why nothing was."""

    subject: str
    check: str
    status: Status
    detail: str


Check = tuple[str, Callable[[], str]]
"""A check's name and its function, which returns what was seen, or raises."""

_HEADERS = ("SUBJECT", "CHECK", "RESULT", "DETAIL")


def outcome(subject: str, check: str, look: Callable[[], str], otherwise: Status = Status.FAILED) -> Result:
    """Runs a check and returns its result; an answer in an unexpected form counts as `otherwise`, and never as a
    traceback."""
    try:
        return Result(subject, check, Status.PASSED, look())
    except NotObservable as error:
        return Result(subject, check, Status.NOT_OBSERVABLE, str(error))
    except CheckFailed as error:
        return Result(subject, check, Status.FAILED, str(error))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return Result(subject, check, otherwise, f"the answer is not of the expected form: {error!r}")


def table(results: Sequence[Result]) -> str:
    """The table for a terminal: columns, and the number of results of each status in the last line."""
    rows = [_HEADERS, *map(_cells, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", f"{_counts(results)} here"])


def markdown(results: Sequence[Result], title: str, facts: Iterable[str]) -> str:
    """The same table as a report: under a title, after lines that say what it is about."""
    rows = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in _cells(each)] for each in results]
    lines = [f"| {' | '.join(row)} |" for row in [[header.lower() for header in _HEADERS], ["---"] * 4, *rows]]
    return "\n".join([f"# {title}", "", *(f"- {fact}" for fact in facts), "", *lines, "", f"{_counts(results)}.", ""])


def write_report(file: Path, results: Sequence[Result], title: str, facts: Iterable[str]) -> None:
    """Writes the report; its folder is made if it does not exist."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(markdown(results, title, facts), encoding="utf-8")


def failed(results: Iterable[Result]) -> bool:
    return any(result.status is Status.FAILED for result in results)


def _cells(result: Result) -> tuple[str, str, str, str]:
    return (result.subject, result.check, result.status.value, " ".join(result.detail.split()))


def _counts(results: Sequence[Result]) -> str:
    return ", ".join(f"{_count(results, status)} {status.value.lower()}" for status in Status)


def _count(results: Iterable[Result], status: Status) -> int:
    return sum(result.status is status for result in results)
