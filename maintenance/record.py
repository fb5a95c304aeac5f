"""`python -m maintenance.record [PART…]`: writes every file that is made from the code.

Pages are drawn from the recorded graphs, and reports are made from recorded previews, so the order matters.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle import environment
from sandbox.interruption import EXIT_STATUS, raise_when_interrupted

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Part:
    """Files that are written together, by modules that run one after the other."""

    name: str
    files: str
    """The files that it writes, for people who wait for it."""
    commands: tuple[tuple[str, ...], ...]
    """The modules with their arguments, as `python -m` takes them."""


PARTS = (
    Part("stacks", "Pulumi.NAME.yaml of an accelerator that has none", (("maintenance.stack_files",),)),
    Part("graphs", "tests/graph/snapshots: the graph of each stack", (("tests.graph.snapshots",),)),
    Part(
        "reviews",
        "tests/review: ten changes as the Pulumi engine previews them, and the reports of them, which takes minutes",
        (("tests.review.record",), ("tests.review.reports",)),
    ),
    Part("docs", "docs: pages and the schema of a stack file", (("maintenance.docs",),)),
    Part("flags", "catalog/engine_arguments: vLLM's flags", (("tests.vllm.environment", "table"),)),
)


def missing(part: Part) -> str | None:
    """The reason for which a part cannot be written here; None if it can."""
    if part.name == "flags" and environment.python() is None:
        return "left as it is: vLLM's own environment is not on this machine (make test-vllm makes it, 9 GB)"
    return None


def record(names: Sequence[str]) -> int:
    """Writes the parts; returns the exit status of the first command that failed, after which nothing more is written,
    or 0."""
    for part in PARTS:
        if names and part.name not in names:
            continue
        if why := missing(part):
            print(f"{part.name}: {why}", flush=True)
            continue
        print(f"{part.name}: {part.files}", flush=True)
        begun = time.monotonic()
        for command in part.commands:
            status = subprocess.run([sys.executable, "-m", *command], cwd=CHECKOUT).returncode
            if status:
                print(f"error: {part.name}: python -m {' '.join(command)} ended with {status}", file=sys.stderr)
                return status
        print(f"{part.name}: written in {time.monotonic() - begun:.0f} s", flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m maintenance.record", description=__doc__)
    known = [part.name for part in PARTS]
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(known)}; default: all of them")
    names: list[str] = parser.parse_args().part
    if strangers := [name for name in names if name not in known]:
        parser.error(f"there is no part {', '.join(strangers)}; write {', '.join(known)}")
    raise_when_interrupted()
    try:
        return record(names)
    except KeyboardInterrupt:
        return EXIT_STATUS


if __name__ == "__main__":
    sys.exit(main())
