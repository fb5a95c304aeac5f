"""`python -m tests.sandbox.torture STACK --from K --to K`: kills the Pulumi engine after each K-th resource, both ways.

For each K: `up` is killed when K resources are there, and run again; what is then in state, cloud and cluster is
compared with an `up` that nobody disturbed. Then `destroy` is killed when K resources are gone, and run again; nothing
may be left. A row for each K is printed and kept in `.torture/STACK-TREE.jsonl`, where TREE is git's name of what the
checkout holds. What is there already is not run again, so an interrupted run goes on, and several machines may share
the work.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox.conftest import CHECKOUT, Checkout, copy_checkout
from tests.sandbox.stacks import recorded

GROUP = "group"
_GROUP_STACK = {
    "pulumi:disable-default-providers": ["*"],
    "inference-platform:region": "us-central1",
    "inference-platform:cluster": {"systemPool": {"maxNodesPerZone": 1}},
    "inference-platform:nodePools": [
        {"name": "l4", "accelerator": "l4", "zone": "us-central1-a", "nodes": 2, "capacity": {"kind": "spot"}}
    ],
    "inference-platform:models": [
        {"name": "pair", "model": "google/gemma-3-1b-it", "tensorParallel": 1, "pipelineParallel": 2}
    ],
}
"""The smallest stack with a model over two nodes."""

_DONE = {"up": re.compile(r"^ \+ .* created( |$)"), "destroy": re.compile(r"^ - .* deleted( |$)")}
_CHOSEN = re.compile(r"-[0-9a-f]{7,8}$")
"""The end of a name that the Pulumi engine chooses."""
_OF_A_RUN = re.compile(r'-[0-9a-f]{7,8}\b|127\.0\.0\.1:\d+|localhost:\d+|"ciphertext": "[^"]*"')
_KINDS = (
    "deployments,leaderworkersets,daemonsets,jobs,services,networkpolicies,secrets,configmaps,namespaces,"
    "serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,customresourcedefinitions"
)
_SETTLE_SECONDS = 60


@dataclass(frozen=True)
class Row:
    """What became of one K. Each text is empty where it went as it should."""

    k: int
    up: str
    """What differs from an undisturbed `up`, or the end of what the second `up` said when it failed."""
    destroy: str
    """What is left, or the end of what the second `destroy` said when it failed."""
    killed: tuple[bool, bool]
    """Whether `up` and `destroy` were still at work after K resources; else they had ended before."""
    seconds: int

    @property
    def converged(self) -> bool:
        return not self.up and not self.destroy


def picture(checkout: Checkout, stack: str) -> dict[str, list[str]]:
    """What there is: the resources in the state and in the cloud with what was asked for, the objects in the
    cluster."""
    latest = recorded(checkout, stack)
    cloud = json.loads((checkout.folder / ".sandbox" / stack / "cloud.json").read_text())
    objects = checkout.succeed("kubectl", stack, ARGS=f"get {_KINDS} --all-namespaces --output=name").splitlines()
    there = {each["urn"] for each in latest["resources"]}

    def unfinished(operation: dict[str, Any]) -> bool:
        # The Pulumi engine keeps its note of a creation that it did not see end, also when the next one has ended well.
        return operation["type"] != "creating" or operation["resource"]["urn"] not in there

    return {
        "state": sorted(f"{each['urn']} {_asked(each)}" for each in latest["resources"]),
        "operations": [each["resource"]["urn"] for each in latest.get("pending_operations", []) if unfinished(each)],
        "cloud": sorted(f"{name} {_asked(each)}" for name, each in cloud["resources"].items()),
        "cluster": sorted(_CHOSEN.sub("", name) for name in objects if "/" in name),
    }


def _asked(resource: dict[str, Any]) -> str:
    """The inputs of a resource, without names and ports that each run chooses for itself."""
    if "pulumi:providers:" in resource.get("urn", ""):
        return ""
    return _OF_A_RUN.sub("-", json.dumps(resource.get("inputs"), sort_keys=True))


def torture(checkout: Checkout, stack: str, ks: Iterable[int]) -> Iterable[Row]:
    """Yields a row for each K. The stack is not up before, and not after."""
    undisturbed: dict[str, list[str]] | None = None
    for k in ks:
        if undisturbed is None:
            checkout.succeed("up", stack)
            undisturbed = picture(checkout, stack)
            checkout.succeed("destroy", stack)
        began = time.monotonic()
        up_killed = killed(checkout, "up", stack, k)
        again = checkout.make("up", stack)
        up = _tail(again) if again.returncode else _difference(undisturbed, picture(checkout, stack))
        destroy_killed = killed(checkout, "destroy", stack, k)
        again = checkout.make("destroy", stack)
        destroy = _tail(again) if again.returncode else _left(checkout)
        yield Row(k, up, destroy, (up_killed, destroy_killed), round(time.monotonic() - began))


def write_group(checkout: Checkout) -> None:
    """Writes the stack file of GROUP."""
    text = yaml.safe_dump({"config": _GROUP_STACK}, sort_keys=False)
    (checkout.folder / f"Pulumi.{GROUP}.yaml").write_text(text, encoding="utf-8")


def killed(checkout: Checkout, target: str, stack: str, k: int) -> bool:
    """Runs a command, and kills it and its Pulumi engine when it has told of `k` resources. False: it ended before."""
    with subprocess.Popen(
        ["make", "--no-print-directory", target, f"STACK={stack}"],
        cwd=checkout.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        told = 0
        for line in process.stdout:
            told += bool(_DONE[target].search(line))
            if told >= k:
                kill(checkout, process.pid)
                return True
    return False


def kill(checkout: Checkout, command: int) -> None:
    """Kills a command that leads its group, and the Pulumi engine. What the engine has started lives on, as when the
    system kills it for its memory."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            engine = Path((process / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")).name == "pulumi"
            ours = str(checkout.folder).encode() in (process / "environ").read_bytes()
            if engine and ours:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue
    os.killpg(command, signal.SIGKILL)


def _difference(undisturbed: dict[str, list[str]], now: dict[str, list[str]]) -> str:
    parts: list[str] = []
    for where, wanted in undisturbed.items():
        found = now[where]
        if found != wanted:
            missing, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
            parts.append(f"{where}: missing {missing}, more {more}, {len(found)} instead of {len(wanted)}")
    return "; ".join(parts)


def _left(checkout: Checkout) -> str:
    """Processes and folders of the stack; processes have a while to end."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while checkout.processes() and time.monotonic() < deadline:
        time.sleep(0.5)
    folders = [str(each) for each in (checkout.folder / ".sandbox").glob("*")]
    return ", ".join([*checkout.processes(), *folders])


def _tail(run: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (run.stdout + run.stderr).splitlines() if line.strip()]
    return " | ".join([*(line for line in lines if "error" in line.lower()), *lines[-3:]])


def main() -> int:
    """Exit status 0 if every K came together again, 1 if one did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", help=f"NAME of Pulumi.NAME.yaml, or {GROUP}: a small one with a model over two nodes")
    parser.add_argument("--from", dest="first", type=int, required=True, metavar="K", help="at least 1")
    parser.add_argument("--to", dest="last", type=int, required=True, metavar="K", help="this one too")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="only every N-th; default: %(default)s")
    options = parser.parse_args()
    wanted = range(max(1, options.first), options.last + 1, max(1, options.step))
    place = CHECKOUT / ".torture"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="checkout-", dir=place) as folder:
        checkout = copy_checkout(Path(folder))
        tree = subprocess.run(["git", "write-tree"], cwd=folder, capture_output=True, text=True, check=True).stdout
        kept = place / f"{options.stack}-{tree[:12]}.jsonl"
        rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
        done = {row["k"]: Row(**{**row, "killed": tuple(row["killed"])}) for row in rows}
        if options.stack == GROUP:
            write_group(checkout)
        for row in torture(checkout, options.stack, [k for k in wanted if k not in done]):
            done[row.k] = row
            with kept.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(row)) + "\n")
            print(_told(row), flush=True)
            if not row.converged:
                _start_over(checkout, options.stack)
    asked = [done[k] for k in wanted]
    failed = [row for row in asked if not row.converged]
    print(f"{options.stack}: {len(asked) - len(failed)} of {len(asked)} came together again; kept in {kept}")
    for row in failed:
        print(_told(row))
    return 1 if failed else 0


def _start_over(checkout: Checkout, stack: str) -> None:
    """After a K that did not come together: the next one begins with nothing, whatever this one has left."""
    checkout.make("destroy", stack)
    shutil.rmtree(checkout.folder / ".sandbox", ignore_errors=True)


def _told(row: Row) -> str:
    moments = ", ".join(
        f"{command} {'killed' if killed else 'ended before'}"
        for command, killed in zip(("up", "destroy"), row.killed, strict=True)
    )
    end = "as undisturbed, nothing left" if row.converged else f"{row.up} {row.destroy}"
    return f"k {row.k}: {moments}; {end}; {row.seconds} s"


if __name__ == "__main__":
    sys.exit(main())
