"""`python -m review`: reports what a change does to a stack, as a comment and as a page."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from review.base import NoBase, Planned, default_base, plan_of, short, worktree
from review.build import Review, build_review
from review.events import EventLog, no_log, read_events
from review.html import to_html
from review.markdown import to_comment
from review.rules import judged
from sandbox.scratch import scratch_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report; returns 0 whatever it says, 3 with --strict if it says that the change must not be made, 1 if
    there is no report."""
    options = _parser().parse_args(arguments)
    checkout = Path.cwd()
    if not (checkout / f"Pulumi.{options.stack}.yaml").is_file():
        known = ", ".join(sorted(file.name.split(".")[1] for file in checkout.glob("Pulumi.*.yaml")))
        print(f"error: there is no Pulumi.{options.stack}.yaml; write STACK= one of {known}", file=sys.stderr)
        return 1
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        base, label, problem = None, "nothing", ""
        try:
            ref = options.base or default_base(checkout)
            label = f"`{short(ref)}`"
            base = stack.enter_context(worktree(checkout, ref))
        except NoBase as reason:
            if options.base:
                print(f"error: {reason}", file=sys.stderr)
                return 1
            problem = str(reason)
        before = plan_of(base, options.stack) if base else Planned(None, problem)
        after = plan_of(checkout, options.stack)
        log, note = _events(options, base if before.plan else None)
    if log is None:
        print(f"error: {note}", file=sys.stderr)
        return 1
    before = replace(before, problem=" ".join(filter(None, [before.problem, note])))
    review = build_review(options.stack, judged(options.stack, log), before, after, label)
    _write(review, out)
    forbidden = review.log.errors or any(violation.mandatory for violation in review.violations)
    return 3 if options.strict and forbidden else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m review", description=__doc__)
    parser.add_argument("--stack", required=True, help="NAME of Pulumi.NAME.yaml")
    parser.add_argument("--base", default="", help="git ref to compare with; default: where this branch left main")
    parser.add_argument("--events", type=Path, help="event log of a preview; default: a preview on paper, made now")
    parser.add_argument("--out", type=Path, default=Path("report"), help="folder of report.md and report.html")
    parser.add_argument("--strict", action="store_true", help="exit status 3 if the preview failed or a rule is broken")
    return parser


def _events(options: argparse.Namespace, base: Path | None) -> tuple[EventLog | None, str]:
    """The Pulumi engine's events, and a sentence about how the Pulumi engine was asked."""
    if options.events:
        try:
            return _read(options.events), ""
        except (OSError, ValueError) as error:
            return None, no_log(options.events, error)
    note = ""
    # The events hold every resource's inputs, so they are not kept.
    with scratch_folder("events") as scratch:
        file = scratch / "events.jsonl"
        if base and not _preview(options.stack, base, file):
            base, note = None, "its program could not be built in the sandbox, so everything counts as new."
        if base is None and not _preview(options.stack, None, file):
            return None, "the sandbox could not preview this change"
        return _read(file), note


def _read(file: Path) -> EventLog:
    with file.open(encoding="utf-8") as lines:
        return read_events(lines)


def _preview(stack: str, base: Path | None, file: Path) -> bool:
    """Previews the change in the sandbox; returns whether there are events. A preview that fails has events too, and
    they say why."""
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "change", "--stack", stack, "--events", str(file)]
    run = subprocess.run([*command, *(["--base", str(base)] if base else [])], stdout=sys.stderr, check=False)
    return run.returncode == 0 or (file.exists() and file.stat().st_size > 0)


def _write(review: Review, out: Path) -> None:
    comment = to_comment(review)
    (out / "report.md").write_text(comment, encoding="utf-8")
    (out / "report.html").write_text(to_html(review), encoding="utf-8")
    print(comment.splitlines()[0])
    print(f"written: {out / 'report.md'}, {out / 'report.html'}")


if __name__ == "__main__":
    sys.exit(main())
