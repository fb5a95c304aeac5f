"""Measures how long a report takes after Pulumi and the planner, as a ratio to the start of Python and pydantic.

Then it shows whether twice the resources take twice the time.
"""

import gzip
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from review import Planned, build_review, read_events, to_comment, to_html
from review.rules import judged
from sandbox.scratch import scratch_folder

CHECKOUT = Path(__file__).parents[1]
RECORDED = CHECKOUT / "tests" / "review" / "recorded"
RUNS = 9
ALLOWED = 5.0

_REPORT = """
import sys
from pathlib import Path
from review import Planned, build_review, read_events, read_plan, to_comment, to_html
from review.rules import judged
events, before, after = map(Path, sys.argv[1:])
log = read_events(events.read_text().splitlines())
plans = [Planned(read_plan(file.read_text())) for file in (before, after)]
review = build_review("review", judged("review", log), *plans)
print(len(to_comment(review)), len(to_html(review)))
"""


def _seconds(*arguments: str) -> float:
    """The CPU seconds of a process: one thread does all the work, and the machine's other load does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _unpacked(name: str, folder: Path) -> str:
    file = folder / name.removesuffix(".gz")
    file.write_bytes(gzip.decompress((RECORDED / name).read_bytes()))
    return str(file)


def _many(resources: int) -> float:
    """The CPU seconds for the report of so many changed resources."""
    lines: list[str] = []
    for index in range(resources):
        urn = f"urn:pulumi:bench::inference-platform::kubernetes:core/v1:ConfigMap::map-{index}"
        state = {"type": "kubernetes:core/v1:ConfigMap", "urn": urn, "custom": True, "parent": ""}
        diff = {f"data.key{key}": {"diffKind": "update", "inputDiff": True} for key in range(5)}
        step = {
            "op": "update",
            "urn": urn,
            "type": state["type"],
            "detailedDiff": diff,
            "old": {**state, "inputs": {"data": {f"key{key}": "before" for key in range(5)}}},
            "new": {**state, "inputs": {"data": {f"key{key}": "after" for key in range(5)}}},
        }
        lines.append(json.dumps({"resourcePreEvent": {"metadata": step}}))
    started = time.process_time()
    log = read_events(lines)
    review = build_review("bench", judged("bench", log), Planned(None), Planned(None))
    to_comment(review)
    to_html(review)
    return time.process_time() - started


def main() -> None:
    with scratch_folder("bench") as folder:
        before = _unpacked("base.plan.json.gz", folder)
        for change in ("nothing-changed", "accelerator-swapped", "network-changed"):
            events = _unpacked(f"{change}.events.jsonl.gz", folder)
            after = _unpacked(f"{change}.plan.json.gz", folder)
            # The runs take turns, since a processor is slower while it is shared.
            pairs = [
                (_seconds("-c", "import pydantic"), _seconds("-c", _REPORT, events, before, after)) for _ in range(RUNS)
            ]
            floor, taken = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(report / pydantic for pydantic, report in pairs)
            verdict = "" if ratio <= ALLOWED else f"   more than {ALLOWED:.0f} x"
            print(f"report: {change:24} {taken:5.2f} s, import pydantic {floor:5.2f} s: {ratio:4.1f} x{verdict}")
    for count in (1_000, 4_000, 16_000):
        taken = _many(count)
        print(f"{count:6} resources, per thousand            {taken * 1_000 / count:6.3f} s")


if __name__ == "__main__":
    main()
