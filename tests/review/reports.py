"""The reports of the prepared changes, made from what the Pulumi engine was recorded to say of them.

`python -m tests.review.reports` writes those that are kept as reviewed.
"""

import gzip
from pathlib import Path

from review import Planned, Review, build_review, read_events, read_plan, to_comment
from review.rules import judged
from tests.review.changes import CHANGES, STACK

RECORDED = Path(__file__).parent / "recorded"
GOLDEN = Path(__file__).parent / "golden"


def recorded(name: str) -> str:
    return gzip.decompress((RECORDED / name).read_bytes()).decode()


def review_of(change: str) -> Review:
    log = read_events(recorded(f"{change}.events.jsonl.gz").splitlines())
    before, after = (Planned(read_plan(recorded(f"{name}.plan.json.gz"))) for name in ("base", change))
    return build_review(STACK, judged(STACK, log), before, after, "`main`")


def main() -> None:
    for change in CHANGES:
        (GOLDEN / f"{change}.md").write_text(to_comment(review_of(change)), encoding="utf-8")


if __name__ == "__main__":
    main()
