"""What a preview costs beside its floor: the same registrations on the same Pulumi engine, untyped, from a file.

The floor imports Pulumi's runtime alone, plans nothing and knows no SDK. Both run in the sandbox from nothing, in turn,
each in a process of its own; the stand-in cloud is in this one, since Google's cost is nobody's. Time and CPU are of
the whole process tree of a preview, memory of its largest process.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.cloud import serve_cloud
from sandbox.home import Home
from sandbox.profile import read_profile
from sandbox.pulumi_engine import pulumi_engine
from tests.graph.recorder import NAMESPACE, record, stack_config

CHECKOUT = Path(__file__).parents[1]
PAIRS = 5
MODELS = (1, 10, 30, 100)
STACK = "bench"


@dataclass(frozen=True)
class Cost:
    seconds: float
    cpu: float
    """Seconds, children included."""
    memory: float
    """MiB, the largest of the program's process or of one child."""


def main(arguments: list[str]) -> None:
    if arguments:
        folder, home, port = arguments
        _preview(Path(folder), Path(home), int(port))
        return
    print("preview from nothing               registrations    wall      CPU   of the floor: wall   CPU   memory")
    for stack in ("dev", "h200"):
        _report(stack, (CHECKOUT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"), stack_config(stack), PAIRS)
    for count in MODELS:
        file, config = _stack_of(count)
        _report(f"{count} models", file, config, 1 if count > 10 else 3)


def _report(label: str, stack_file: str, config: dict[str, str], pairs: int) -> None:
    graph = record(STACK, preview=True, config=config)
    with tempfile.TemporaryDirectory(prefix="inference-platform-bench-") as scratch:
        typed, floor = Path(scratch, "typed"), Path(scratch, "floor")
        for folder, program in ((typed, CHECKOUT / "__main__.py"), (floor, CHECKOUT / "bench" / "untyped_program.py")):
            folder.mkdir()
            shutil.copyfile(program, folder / "__main__.py")
            shutil.copyfile(CHECKOUT / "Pulumi.yaml", folder / "Pulumi.yaml")
            (folder / f"Pulumi.{STACK}.yaml").write_text(stack_file, encoding="utf-8")
        (floor / "registrations.json").write_text(
            json.dumps([asdict(each) for each in graph.registrations]), encoding="utf-8"
        )
        costs = [(_cost(typed, scratch), _cost(floor, scratch)) for _ in range(pairs)]
    # Pair by pair, since a noisy machine is slow for both.
    wall = statistics.median(ours.seconds / theirs.seconds for ours, theirs in costs)
    cpu = statistics.median(ours.cpu / theirs.cpu for ours, theirs in costs)
    memory = statistics.median(ours.memory / theirs.memory for ours, theirs in costs)
    middle = sorted((ours for ours, _ in costs), key=lambda cost: cost.seconds)[len(costs) // 2]
    print(
        f"{label:34} {len(graph.registrations):13} {middle.seconds:6.2f} s {middle.cpu:6.2f} s"
        f" {wall:19.2f} {cpu:5.2f} {memory:8.2f}   ({middle.memory:.0f} MiB)"
    )


def _stack_of(count: int) -> tuple[str, dict[str, str]]:
    """A stack file with so many small models, and the same as the Pulumi engine hands it over."""
    values: dict[str, Any] = {
        "region": "us-central1",
        "nodePools": [
            {"name": "gpu", "accelerator": "h200", "zone": "us-central1-b", "nodes": 999, "capacity": {"kind": "spot"}}
        ],
        "models": [{"name": f"model-{index}", "model": "google/gemma-3-27b-it"} for index in range(count)],
    }
    content = {"config": {f"{NAMESPACE}:{key}": value for key, value in values.items()}}
    given = {f"{NAMESPACE}:project": "test-project", f"{NAMESPACE}:huggingFaceToken": "hf_of_the_benchmark"}
    return yaml.safe_dump(content), given | {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in content["config"].items()
    }


def _cost(folder: Path, scratch: str) -> Cost:
    home = Path(scratch, "home")
    home.mkdir()
    with serve_cloud(home / "cloud.json") as port:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.preview_speed", folder, home, str(port)],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the preview of {folder.name} failed; its message is above")
    shutil.rmtree(home)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _preview(folder: Path, home: Path, port: int) -> None:
    sandbox = Home(folder, STACK, home, read_profile(CHECKOUT))
    with pulumi_engine(sandbox, lambda _: None, control_planes=False, served_at=port) as running:
        running.preview(lambda line: print(line, end="", file=sys.stderr) if "error:" in line else None)


if __name__ == "__main__":
    main(sys.argv[1:])
