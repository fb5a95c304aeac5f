"""Stands in for `mpirun` of a test's image: checks what the real one would stumble over, and prints what a test
prints."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.cluster.nccl import facts, image
from sandbox.cluster.nccl.behaviour import NcclBehaviour

RECORDED = Path(__file__).parents[1] / "recorded" / "nccl_all_gather.txt"
_LOOK_SECONDS = 0.1
_ONE_ARGUMENT = ("--bind-to", "--hostfile", "-np", "-x")
_TWO_ARGUMENTS = ("--mca", "-mca")
_ENTRY = "mpi_entry.sh"
_TESTS = "third_party/nccl-tests-mpi/build"


class Failed(Exception):
    """The test failed; the error holds its exit status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Options:
    hostfile: str = ""
    processes: int | None = None
    as_root: bool = False
    exported: dict[str, str] = field(default_factory=dict[str, str])
    program: list[str] = field(default_factory=list[str])


def main(arguments: Sequence[str]) -> int:
    try:
        options = parse(arguments, os.environ)
        hosts = started(options, os.environ)
        run(options, hosts)
    except Failed as failed:
        print(failed, file=sys.stderr, flush=True)
        return failed.status
    return 0


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    options, rest = Options(), list(arguments)
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        values = [rest.pop(0) for _ in range(2 if flag in _TWO_ARGUMENTS else flag in _ONE_ARGUMENT)]
        if flag == "--hostfile":
            options.hostfile = values[0]
        elif flag == "-np":
            options.processes = int(values[0])
        elif flag == "--allow-run-as-root":
            options.as_root = True
        elif flag == "-x":
            name, given, value = values[0].partition("=")
            options.exported[name] = value if given else environment.get(name, "")
    if environment.get("OMPI_ALLOW_RUN_AS_ROOT") == environment.get("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM") == "1":
        options.as_root = True
    options.program = rest
    return options


def started(options: Options, environment: Mapping[str, str]) -> list[str]:
    """The hosts on which mpirun would start processes. Raises Failed if it could not."""
    if not options.as_root:
        raise Failed(1, "mpirun has detected an attempt to run as root.")
    try:
        lines = [line.split() for line in Path(options.hostfile).read_text(encoding="utf-8").splitlines() if line]
    except OSError as error:
        raise Failed(1, f"The hostfile {options.hostfile!r} could not be opened: {error}") from error
    slots = sum(int(word.partition("=")[2]) for line in lines for word in line if word.startswith("slots="))
    if len(lines) < 2 or slots < (options.processes or 1):
        raise Failed(1, f"There are not enough slots available in the system: {slots} on {len(lines)} hosts")
    _find_program(options, Path(environment[image.IMAGE_ROOT]))
    hosts = [line[0] for line in lines]
    _reach(hosts, "ORTE was unable to reliably start one or more daemons.")
    return hosts


def run(options: Options, hosts: Sequence[str]) -> None:
    """Runs the simulated test as its behaviour says. Raises Failed."""
    refused = facts.refusal(options.exported)
    if refused:
        raise Failed(facts.ABORTED, f"{refused}\nmpirun noticed that a process exited on signal 6 (Aborted).")
    print("# nThread 1 nGpus 1 step: 2(factor) agg iters: 1 validation: 1 graph: 0", flush=True)
    while _behaviour().hang:
        _reach(hosts, "ORTE has lost communication with a remote daemon.")
        time.sleep(_LOOK_SECONDS)
    behaviour = _behaviour()
    if behaviour.crash:
        raise Failed(1, "mpirun detected that one or more processes exited with non-zero status.")
    if behaviour.silent:
        return
    print(f"{hosts[0]}:1:1 [0] NCCL INFO NCCL version {os.environ[image.NCCL]}")
    print(_table(behaviour.gbytes_per_second or float(os.environ[image.PEAK]), wrong=behaviour.wrong), flush=True)
    if behaviour.wrong:
        raise Failed(1, "mpirun detected that one or more processes exited with non-zero status.")


def _find_program(options: Options, root: Path) -> None:
    words = options.program
    if words[:1] == ["bash"] and len(words) > 2 and words[1].endswith(f"/{_ENTRY}"):
        found = [Path(words[1]), root / _TESTS / words[2]]
    else:
        found = [Path(words[0])] if words else []
    missing = [str(file) for file in found if not (file.is_file() and file.is_relative_to(root))]
    if missing or not found:
        raise Failed(127, f"mpirun was unable to launch the specified application: {' '.join(missing) or 'none'}")


def _reach(hosts: Sequence[str], otherwise: str) -> None:
    lost = [host for host in hosts if not (Path(os.environ[image.HOSTS]) / host).exists()]
    if lost:
        raise Failed(1, f"{otherwise} Hosts: {', '.join(lost)}")


def _behaviour() -> NcclBehaviour:
    try:
        return NcclBehaviour.parse(Path(os.environ[image.BEHAVIOUR]).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NcclBehaviour()


def _table(peak: float, *, wrong: bool) -> str:
    """The recorded table, with all bandwidths in proportion, so that the highest one is `peak` GB/s."""
    recorded = RECORDED.read_text(encoding="utf-8").splitlines()
    heading = [line for line in recorded if line.startswith("#") and "GKE" not in line and "Simulated" not in line]
    rows = [line.split() for line in recorded if not line.startswith("#")]
    factor = peak / max(float(row[column]) for row in rows for column in (7, 11))
    lines: list[str] = []
    figures: list[float] = []
    for row in rows:
        for time_, algorithm, bus in ((5, 6, 7), (9, 10, 11)):
            row[time_] = f"{float(row[time_]) / factor:.1f}"
            row[algorithm] = f"{float(row[algorithm]) * factor:.2f}"
            figures.append(float(row[bus]) * factor)
            row[bus] = f"{figures[-1]:.2f}"
        row[8] = "1" if wrong else row[8]
        lines.append("  ".join(cell.rjust(10) for cell in row))
    end = [
        f"# Out of bounds values : {len(rows) if wrong else 0} {'FAILED' if wrong else 'OK'}",
        f"# Avg bus bandwidth    : {sum(figures) / len(figures):.4f}",
    ]
    return "\n".join([*heading, *lines, *end])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
