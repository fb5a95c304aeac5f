"""Facts, intent and decisions cost no SDK: whoever plans, or tests a plan, waits for none."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROGRAM = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if module.name != "config.pulumi_config" and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("room", ["catalog", "config", "planning"])
def test_rooms_of_facts_and_decisions_import_no_sdk(room: str) -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM, room], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {"catalog", "pydantic"} <= loaded
    assert loaded.isdisjoint({"pulumi", "pulumi_gcp", "pulumi_kubernetes", "sandbox", "components"})


def test_the_edge_to_pulumi_imports_no_provider() -> None:
    program = "import config.pulumi_config, planning.platform, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "pulumi" in loaded
    assert loaded.isdisjoint({"pulumi_gcp", "pulumi_kubernetes"})


CHECKOUT = Path(__file__).parents[2]
ROOMS = (
    "catalog",
    "config",
    "planning",
    "components",
    "stacks",
    "policy",
    "review",
    "verification",
    "oracle",
    "sandbox",
)
MODULES = {
    ".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"): file
    for room in ROOMS
    for file in (CHECKOUT / room).rglob("*.py")
}


@cache
def _tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def _own(node: ast.AST) -> Iterator[str]:
    """Our modules that an import names."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom):
        parts = ((f"{node.module}.{alias.name}", str(node.module)) for alias in node.names)
        names = [part if part in MODULES else module for part, module in parts]
    yield from (name for name in names if name in MODULES)


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {name: {own for node in ast.walk(_tree(name)) for own in _own(node)} for name in MODULES}
    assert len(list(TopologicalSorter(imports).static_order())) == len(MODULES)


def test_an_import_of_ours_inside_a_function_says_why() -> None:
    silent: list[str] = []
    for name, file in MODULES.items():
        lines = file.read_text(encoding="utf-8").splitlines()
        functions = (node for node in ast.walk(_tree(name)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        for function in functions:
            first = next((node for node in ast.walk(function) if any(_own(node))), None)
            if first is not None and not lines[first.lineno - 2].lstrip().startswith("#"):
                silent.append(f"{name}:{first.lineno}")
    assert silent == []
