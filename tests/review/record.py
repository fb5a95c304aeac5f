"""`python -m tests.review.record`: has the Pulumi engine preview the prepared changes, and keeps what it said.

Minutes of work, so the reports are made from what is kept; run it again when the program's graph has changed.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from sandbox.events import event_log
from sandbox.home import Home
from sandbox.paper import paper_pulumi_engine, says_something
from sandbox.profile import read_profile
from tests.review.changes import CHANGES, STACK, base, changed

CHECKOUT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "recorded"


def main(names: list[str]) -> None:
    RECORDED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        checkout = Path(scratch) / "checkout"
        _link(checkout)
        home = Home(checkout, STACK, Path(scratch) / "home", read_profile(CHECKOUT))
        _write(checkout, base())
        _keep(RECORDED / "base.plan.json.gz", _plan(checkout))
        with paper_pulumi_engine(home, print) as running:
            running.up(print)
        for name in names or CHANGES:
            _write(checkout, changed(name))
            file = Path(scratch) / "events.jsonl"
            with paper_pulumi_engine(home, print) as running, event_log(file, says_something) as on_event:
                running.preview(print, on_event=on_event)
            _keep(RECORDED / f"{name}.plan.json.gz", _plan(checkout))
            _keep(RECORDED / f"{name}.events.jsonl.gz", _lines(file.read_text(encoding="utf-8")))


def _link(checkout: Path) -> None:
    """A checkout with the program of this one and a stack file of its own."""
    checkout.mkdir()
    for path in CHECKOUT.iterdir():
        if not path.name.startswith((".", "Pulumi.")) or path.name == "Pulumi.yaml":
            (checkout / path.name).symlink_to(path)


def _write(checkout: Path, content: dict[str, Any]) -> None:
    (checkout / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(content))


def _plan(checkout: Path) -> str:
    command = [sys.executable, "-m", "planning", "stack", STACK, "--format", "json"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout


def _lines(log: str) -> str:
    """By resource, so that the same preview is the same file whichever resource came first."""
    events = [event for event in map(_told, log.splitlines()) if event]
    events.sort(key=lambda event: event.get("resourcePreEvent", {}).get("metadata", {}).get("urn", ""))
    return "".join(json.dumps(event, sort_keys=True) + "\n" for event in events)


def _told(line: str) -> dict[str, Any] | None:
    """The parts of an event from which a report is made: without this machine's paths and time, and with no state
    twice."""
    event: dict[str, Any] = json.loads(line)
    if {"preludeEvent", "summaryEvent", "cancelEvent", "resOutputsEvent"} & event.keys():
        return None
    if event.get("diagnosticEvent", {}).get("severity") not in (None, "warning", "error"):
        return None
    for key in ("sequence", "timestamp"):
        event.pop(key, None)
    step: dict[str, Any] = event.get("resourcePreEvent", {}).get("metadata", {})
    if step.get("op") == "same":
        step.pop("old", None)
    for side in ("old", "new"):
        state: dict[str, Any] | None = step.get(side)
        if state:
            state.pop("outputs", None)
            state["inputs"].pop("renderYamlToDirectory", None)
            if step["type"].endswith(":CustomResourceDefinition"):
                state["inputs"].pop("spec", None)
    return event


def _keep(file: Path, text: str) -> None:
    # Without a time of writing, equal content is an equal file.
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
