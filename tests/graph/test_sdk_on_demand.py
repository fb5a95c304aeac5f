"""An SDK loaded class by class is the same SDK: same registrations, same types, and nothing that no stack uses."""

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

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
classes = [
    value for name in loaded for value in vars(sys.modules[name]).values()
    if isinstance(value, type) and value.__module__ == name
]
print(json.dumps({"texts": texts, "loaded": loaded, "classes": len(classes)}))
"""

TYPES = """
import ast, importlib, json, re, sys
from pathlib import Path
if sys.argv[1] != "whole":
    from stacks.sdk_on_demand import load_on_demand
    load_on_demand("pulumi_gcp")
import pulumi
import pulumi_gcp
from pulumi import _types
found = {}
for name in sys.argv[2:]:
    package = importlib.import_module(f"pulumi_gcp.{name}")
    for file in sorted((Path(pulumi_gcp.__file__).parent / name).glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            each = getattr(package.outputs if file.stem == "outputs" else package, node.name)
            if not isinstance(each, type):
                types = each.__module__
            elif hasattr(each, "_pulumi_input_type"):
                types = _types.input_type_types(each)
            elif hasattr(each, "_pulumi_output_type"):
                types = _types.output_type_types(each)
            elif issubclass(each, pulumi.Resource):
                types = _types.resource_types(each)
            else:
                types = sorted(each.__annotations__)
            found[f"{name}.{file.stem}.{node.name}"] = re.sub(" at 0x[0-9a-f]+", "", repr(types))
print(json.dumps(found))
"""

BY_NAME = """
from stacks.sdk_on_demand import load_on_demand
load_on_demand("pulumi_gcp")
import pulumi_gcp
from pulumi_gcp import compute
print(
    compute.NetworkArgs.__module__, compute.NetworkParamsArgs.__name__, compute.outputs.NetworkParams.__name__,
    compute.get_network.__name__, compute.router_nat.RouterNat is compute.RouterNat, hasattr(compute, "NoSuchThing"),
    compute.InstanceTemplate.__name__, compute.InstanceTemplateDiskArgs.__name__,
    compute.NetworkParamsArgsDict.__name__,
)
"""


ASKED = """
import sys
from stacks.sdk_on_demand import load_on_demand
load_on_demand("made_up")
from made_up import module
print(module.ThingArgs(1).size)
"""


@cache
def _run(mode: str) -> dict[str, Any]:
    return json.loads(_python(PROGRAM, mode, *STACKS).stdout.splitlines()[-1])


def _python(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=CHECKOUT, env=kept | environment, capture_output=True, text=True, check=True)


def test_every_stack_registers_the_same_with_the_whole_sdk() -> None:
    assert _run("on demand")["texts"] == _run("whole")["texts"]


def test_only_the_files_of_resources_in_use_are_loaded() -> None:
    """Budgets are by count, since time is not the same on two machines; these are of all stacks together."""
    run = _run("on demand")
    assert "pulumi_gcp.compute.network" in run["loaded"] and "pulumi_gcp.compute.instance" not in run["loaded"]
    assert len(run["loaded"]) <= 45
    assert run["classes"] <= 800
    assert _run("whole")["classes"] > 4000


def test_types_resolve_to_the_same_as_in_the_whole_sdk() -> None:
    """Every class of three modules, small and large, and not only those that stacks use."""
    whole, parts = (
        json.loads(_python(TYPES, mode, "container", "monitoring", "secretmanager").stdout)
        for mode in ("whole", "on demand")
    )
    assert parts == whole
    assert len(whole) > 1000


def test_every_name_of_the_sdk_is_still_there() -> None:
    assert _python(BY_NAME).stdout.split() == [
        *("pulumi_gcp.compute.network", "NetworkParamsArgs", "NetworkParams"),
        *("get_network", "True", "False", "InstanceTemplate", "InstanceTemplateDiskArgs", "NetworkParamsArgsDict"),
    ]


def _made_up_sdk(folder: Path, size: str) -> Path:
    """An SDK of one module with one nested type, whose `size` is that expression; says where its types stand."""
    module = folder / "made_up" / "module"
    module.mkdir(parents=True, exist_ok=True)
    (folder / "made_up" / "__init__.py").touch()
    (module / "__init__.py").write_text("from ._inputs import *\n", encoding="utf-8")
    types = module / "_inputs.py"
    types.write_text(
        f"import pulumi\n\n@pulumi.input_type\nclass ThingArgs:\n"
        f"    def __init__(self, size: 'NoSuchName'):\n        self.size = {size}\n",
        encoding="utf-8",
    )
    return types


def test_what_is_kept_compiled_is_never_older_than_its_source(tmp_path: Path) -> None:
    types = _made_up_sdk(tmp_path, "size + 1")
    kept = Path(importlib.util.cache_from_source(str(types), optimization="ondemand"))
    assert _python(ASKED, PYTHONPATH=str(tmp_path)).stdout == "2\n" and kept.exists()
    before = kept.stat().st_mtime_ns
    assert _python(ASKED, PYTHONPATH=str(tmp_path)).stdout == "2\n" and kept.stat().st_mtime_ns == before
    _made_up_sdk(tmp_path, "size + 22")
    assert _python(ASKED, PYTHONPATH=str(tmp_path)).stdout == "23\n"


@pytest.mark.parametrize("hindrance", ["told not to write", "a cut file"])
def test_without_kept_pieces_the_classes_are_the_same(tmp_path: Path, hindrance: str) -> None:
    types = _made_up_sdk(tmp_path, "size + 1")
    kept = Path(importlib.util.cache_from_source(str(types), optimization="ondemand"))
    told = {"PYTHONDONTWRITEBYTECODE": "1"} if hindrance == "told not to write" else {}
    if not told:
        kept.parent.mkdir()
        kept.write_bytes(b"cut")
    assert _python(ASKED, PYTHONPATH=str(tmp_path), **told).stdout == "2\n"
    assert kept.exists() == (not told)
