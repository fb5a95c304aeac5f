"""What a preview costs beside its floor: the same registrations on the same Pulumi engine, untyped, from a file.

The floor imports Pulumi's runtime alone, plans nothing and knows no SDK. Both run in the sandbox from nothing, in turn,
each in a process of its own; the stand-in cloud is in this one, since Google's cost is nobody's. Time and CPU are of
the whole process tree of a preview; the program's share of the CPU, and memory, are of the process that runs it.
Names of stacks and numbers of models say what to measure; without any, all is measured in some four minutes.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.cloud import serve_cloud
from sandbox.home import Home
from sandbox.profile import read_profile
from sandbox.pulumi_engine import pulumi_engine
from sandbox.scratch import scratch_folder
from tests.graph.recorder import NAMESPACE, record, stack_config

CHECKOUT = Path(__file__).parents[1]
PAIRS = {"dev": 5, "h200": 5, "1": 3, "10": 3, "30": 2, "100": 1}
"""How often each is measured: a stack file by its name, or so many models."""
STACK = "bench"
CHILD = "--preview"


@dataclass(frozen=True)
class Cost:
    seconds: float
    cpu: float
    """Seconds, of the program, Pulumi's engine and its providers."""
    program: float
    """Seconds of CPU of the program's process alone."""
    memory: float
    """MiB, the most that the program's process had."""


def main(arguments: list[str]) -> None:
    if arguments[:1] == [CHILD]:
        _, folder, home, port = arguments
        _preview(Path(folder), Path(home), int(port))
        return
    print(f"{'preview from nothing':20} {'':13} {'':8} {'':8} {'CPU of the':>11} {'':8}   times the floor:")
    print(
        f"{'':20} {'registrations':>13} {'wall':>8} {'CPU':>8} {'program':>11} {'memory':>8}"
        f" {'wall':>8} {'CPU':>6} {'program':>8} {'memory':>7}"
    )
    counts: dict[int, int] = {}
    for name in arguments or PAIRS:
        if name.isdigit():
            counts[int(name)] = _report(f"{name} models", *_stack_of(int(name)), PAIRS.get(name, 1))
        else:
            stack_file = (CHECKOUT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
            _report(name, stack_file, stack_config(name), PAIRS.get(name, 3))
    if len(counts) > 1:
        few, many = min(counts), max(counts)
        print(f"registrations a model: {(counts[many] - counts[few]) / (many - few):g}")


def _report(label: str, stack_file: str, config: dict[str, str], pairs: int) -> int:
    """Measures one stack, prints a line of it, and says how much it registers."""
    graph = record(STACK, preview=True, config=config)
    with scratch_folder("bench") as scratch:
        typed, floor = scratch / "typed", scratch / "floor"
        for folder, program in ((typed, CHECKOUT / "__main__.py"), (floor, CHECKOUT / "bench" / "untyped_program.py")):
            folder.mkdir()
            shutil.copyfile(program, folder / "__main__.py")
            shutil.copyfile(CHECKOUT / "Pulumi.yaml", folder / "Pulumi.yaml")
            (folder / f"Pulumi.{STACK}.yaml").write_text(stack_file, encoding="utf-8")
        (floor / "graph.json").write_text(json.dumps(asdict(graph)), encoding="utf-8")
        if pairs > 1:
            # A first run compiles what another time is read from the cache of Python's bytecode.
            _cost(typed, scratch)
        costs = [(_cost(typed, scratch), _cost(floor, scratch)) for _ in range(pairs)]

    def ratio(of: Callable[[Cost], float]) -> float:
        # Pair by pair, since a noisy machine is slow for both.
        return statistics.median(of(ours) / of(theirs) for ours, theirs in costs)

    def median(of: Callable[[Cost], float]) -> float:
        return statistics.median(of(ours) for ours, _ in costs)

    figures: tuple[Callable[[Cost], float], ...] = (
        lambda cost: cost.seconds,
        lambda cost: cost.cpu,
        lambda cost: cost.program,
        lambda cost: cost.memory,
    )
    wall, cpu, program, memory = map(median, figures)
    print(
        f"{label:20} {len(graph.registrations):13} {wall:6.2f} s {cpu:6.2f} s {program:9.2f} s {memory:4.0f} MiB"
        " {:8.2f} {:6.2f} {:8.2f} {:7.2f}".format(*map(ratio, figures)),
        flush=True,
    )
    return len(graph.registrations)


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


def _cost(folder: Path, scratch: Path) -> Cost:
    home = scratch / "home"
    home.mkdir()
    # As Pulumi runs a program: with its bytecode kept, whatever this process was told.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with serve_cloud(home / "cloud.json") as port:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.preview_speed", CHILD, folder, home, str(port)],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
        )
        said, _ = process.communicate()
        seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(f"the preview of {folder.name} failed; its message is above")
    shutil.rmtree(home)
    return Cost(seconds, **json.loads(said))


def _preview(folder: Path, home: Path, port: int) -> None:
    sandbox = Home(folder, STACK, home, read_profile(CHECKOUT))
    with pulumi_engine(sandbox, lambda _: None, control_planes=False, served_at=port) as running:
        running.preview(lambda line: print(line, end="", file=sys.stderr) if "error:" in line else None)
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    program = own.ru_utime + own.ru_stime
    cpu = program + children.ru_utime + children.ru_stime
    print(json.dumps({"cpu": cpu, "program": program, "memory": _peak_memory()}))


def _peak_memory() -> float:
    """MiB that this process had at most; the peak that rusage knows is also that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
