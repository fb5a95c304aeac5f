"""Measures how long planning takes, as a ratio to a floor measured in the same run: the start of Python and
pydantic."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from config.validate import validate
from planning.platform import plan_platform

CHECKOUT = Path(__file__).parents[1]
RUNS = 5


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _median(*arguments: str) -> float:
    return statistics.median(_seconds(*arguments) for _ in range(RUNS))


def _plan_models(count: int) -> float:
    """The CPU seconds for a plan of so many models. All differ, so that no answer comes from a cache."""
    models = [
        {"name": f"model-{index}", "model": "google/gemma-3-27b-it", "minContext": 1024 + index + count}
        for index in range(count)
    ]
    pool = {"name": "gpu", "accelerator": "h200", "zone": "us-central1-b", "nodes": 1000, "capacity": {"kind": "spot"}}
    values = {"region": "us-central1", "nodePools": [pool], "models": models}
    settings = validate("bench", values, frozenset(), to_deploy=False)
    started = time.process_time()
    plan_platform(settings, "bench")
    return time.process_time() - started


def main() -> None:
    floor = _median("-c", "import pydantic")
    print(f"floor: python -c 'import pydantic'       {floor:6.2f} s   1.0 x")
    for stack in ("h200", "dev"):
        taken = _median("-m", "planning", "stack", stack)
        print(f"python -m planning stack {stack:4}            {taken:6.2f} s {taken / floor:5.1f} x")
    for count in (100, 1000):
        taken = _plan_models(count)
        hundred = taken * 100 / count
        print(f"{count:4} models in one stack, per hundred   {hundred:6.2f} s {hundred / floor:5.1f} x")


if __name__ == "__main__":
    main()
