"""Facts, intent and decisions cost no SDK: whoever plans, or tests a plan, waits for none."""

import subprocess
import sys

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
