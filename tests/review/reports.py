"""The reports of the prepared changes, made from what the Pulumi engine was recorded to say of them.

`python -m tests.review.reports` writes those that are kept as reviewed.
"""

import gzip
from pathlib import Path

from review import Review, build_review, read_events, read_plan, to_comment
from review.rules import broken_rules
from tests.review.changes import CHANGES, STACK

RECORDED = Path(__file__).parent / "recorded"
GOLDEN = Path(__file__).parent / "golden"


def recorded(name: str) -> str:
    return gzip.decompress((RECORDED / name).read_bytes()).decode()


def review_of(change: str) -> Review:
    log = read_events(recorded(f"{change}.events.jsonl.gz").splitlines())
    return build_review(
        STACK,
        log,
        read_plan(recorded("base.plan.json.gz")),
        read_plan(recorded(f"{change}.plan.json.gz")),
        base="`main`",
        violations=broken_rules(STACK, log),
    )


def main() -> None:
    for change in CHANGES:
        (GOLDEN / f"{change}.md").write_text(to_comment(review_of(change)), encoding="utf-8")


if __name__ == "__main__":
    main()
