"""`python -m review.drift`: names what was changed by hand, from the events of a preview with a refresh."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from review.events import Action, EventLog, ResourceChange, no_log, read_events

DRIFTED = 3
_MOST = 200
"""The most resources that are named: an issue has a size limit, and nobody reads more."""

_WORDS = {
    Action.CREATE: "is gone",
    Action.DELETE: "is still there, and no longer wanted",
    Action.UPDATE: "was changed",
    Action.REPLACE: "was changed so that it must be replaced",
}


def drifted(log: EventLog) -> tuple[ResourceChange, ...]:
    """The resources that an update would change back although the program did not change."""
    return tuple(change for change in log.changed if change.custom and not change.type.startswith("pulumi:"))


def to_markdown(stack: str, log: EventLog) -> str:
    changes = drifted(log)
    if log.errors:
        first = _failed(stack, log.first_error)
    elif changes:
        first = f"**{len(changes)} resource(s) of `{stack}` are not what the last update made them**"
    else:
        first = f"`{stack}` is what the last update made it"
    lines = list(_lines(changes[:_MOST]))
    if len(changes) > _MOST:
        lines.append(f"- and {len(changes) - _MOST} more")
    return "\n".join([first, "", *lines]).rstrip() + "\n"


def _failed(stack: str, why: str) -> str:
    return f"**The look at `{stack}` failed**: {why}"


def _lines(changes: Iterable[ResourceChange]) -> Iterable[str]:
    for change in changes:
        # An update changes what exists into what should exist.
        found = [
            f"`{one.path}` is {one.before or 'nothing'}, not {one.after or 'nothing'}" for one in change.properties
        ]
        what = f"{change.kind} `{change.name}` {_WORDS[change.action]}"
        yield f"- {what}{': ' + '; '.join(found[:6]) if found else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what drifted; returns 0 if nothing did, 3 if something did, 1 if it cannot be told."""
    parser = argparse.ArgumentParser(prog="python -m review.drift", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--events", required=True, type=Path, help="event log of a preview with --refresh")
    options = parser.parse_args(arguments)
    try:
        with options.events.open(encoding="utf-8") as lines:
            log = read_events(lines)
    except (OSError, ValueError) as error:
        print(_failed(options.stack, no_log(options.events, error)))
        return 1
    print(to_markdown(options.stack, log), end="")
    if log.errors:
        return 1
    return DRIFTED if drifted(log) else 0


if __name__ == "__main__":
    sys.exit(main())
