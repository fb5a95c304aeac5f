"""An SDK loaded class by class is the same SDK: same registrations, same types, and nothing that no stack uses."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

from tests.graph.conftest import STACKS
from tests.graph.recorder import CHECKOUT

PROGRAM = """
import json, sys
whole = sys.argv[1] == "whole"
if whole:
    import pulumi_gcp
from tests.graph import snapshots
from tests.graph.recorder import record
texts = {stack: snapshots.text(record(stack, preview=False)) for stack in sys.argv[2:]}
loaded = sorted(name for name in sys.modules if name.startswith("pulumi_gcp.") and name.count(".") == 2)
print(json.dumps({"texts": texts, "loaded": loaded}))
"""

BY_NAME = """
from stacks.sdk_on_demand import load_on_demand
load_on_demand("pulumi_gcp")
import pulumi_gcp
from pulumi_gcp import compute
print(
    compute.NetworkArgs.__module__, compute.NetworkParamsArgs.__name__, compute.outputs.NetworkParams.__name__,
    compute.get_network.__name__, compute.router_nat.RouterNat is compute.RouterNat, hasattr(compute, "NoSuchThing"),
    compute.InstanceTemplate.__name__,
)
"""


@cache
def _run(mode: str) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, mode, *STACKS]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_every_stack_registers_the_same_with_the_whole_sdk() -> None:
    assert _run("on demand")["texts"] == _run("whole")["texts"]


def test_only_the_files_of_resources_in_use_are_loaded() -> None:
    """The budget is by count, since time is not the same on two machines; the whole SDK of these modules is 1,000."""
    loaded = _run("on demand")["loaded"]
    assert "pulumi_gcp.compute.network" in loaded and "pulumi_gcp.compute.instance" not in loaded
    assert len(loaded) <= 60
    assert len(_run("whole")["loaded"]) > 300


def test_every_name_of_the_sdk_is_still_there() -> None:
    run = subprocess.run([sys.executable, "-c", BY_NAME], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [
        *("pulumi_gcp.compute.network", "NetworkParamsArgs", "NetworkParams"),
        *("get_network", "True", "False", "InstanceTemplate"),
    ]
