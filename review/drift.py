"""`python -m review.drift`: names what was changed by hand, from the events of a preview that refreshed first."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from review.events import Action, EventLog, ResourceChange, read_events

DRIFTED = 3

_WORDS = {
    Action.CREATE: "is gone",
    Action.DELETE: "is still there, and no longer wanted",
    Action.UPDATE: "was changed",
    Action.REPLACE: "was changed so that it must be replaced",
}


def drifted(log: EventLog) -> tuple[ResourceChange, ...]:
    """What an update would put right although nobody changed the program."""
    return tuple(change for change in log.changed if change.custom and not change.type.startswith("pulumi:"))


def to_markdown(stack: str, log: EventLog) -> str:
    changes = drifted(log)
    if log.errors:
        first = f"**The look at `{stack}` failed**: {log.errors[0].splitlines()[0]}"
    elif changes:
        first = f"**{len(changes)} resource(s) of `{stack}` are not what the last update made them**"
    else:
        first = f"`{stack}` is what the last update made it"
    return "\n".join([first, "", *_lines(changes)]).rstrip() + "\n"


def _lines(changes: Iterable[ResourceChange]) -> Iterable[str]:
    for change in changes:
        # An update goes from what is there to what should be.
        found = [
            f"`{one.path}` is {one.before or 'nothing'}, not {one.after or 'nothing'}" for one in change.properties
        ]
        what = f"{change.kind} `{change.name}` {_WORDS[change.action]}"
        yield f"- {what}{': ' + '; '.join(found[:6]) if found else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if nothing drifted, 3 if something did, 1 if nobody could tell."""
    parser = argparse.ArgumentParser(prog="python -m review.drift", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--events", required=True, type=Path, help="event log of a preview with --refresh")
    options = parser.parse_args(arguments)
    try:
        with options.events.open(encoding="utf-8") as lines:
            log = read_events(lines)
    except (OSError, ValueError) as error:
        print(f"error: {options.events} is no event log: {error}", file=sys.stderr)
        return 1
    print(to_markdown(options.stack, log), end="")
    if log.errors:
        return 1
    return DRIFTED if drifted(log) else 0


if __name__ == "__main__":
    sys.exit(main())
