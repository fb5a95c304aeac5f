"""The whole graph of every stack file, resource by resource. A change here is a change people will see in a preview."""

import difflib
import os
from collections.abc import Callable

import pytest
import yaml

from tests.graph.conftest import STACKS
from tests.graph.recorder import CHECKOUT, Graph

SNAPSHOTS = CHECKOUT / "tests" / "graph" / "snapshots"


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("mode", ["preview", "up"])
def test_graph_is_the_one_that_was_reviewed(stack: str, mode: str, graph_of: Callable[[str, bool], Graph]) -> None:
    graph = graph_of(stack, mode == "preview")
    document = {
        "resources": {registration.key: registration.as_dict() for registration in graph.registrations},
        "outputs": graph.outputs,
    }
    text = yaml.safe_dump(document, sort_keys=True, width=120)
    file = SNAPSHOTS / f"{stack}.{mode}.yaml"
    if os.environ.get("RECORD_SNAPSHOTS"):
        file.write_text(text)
    recorded = file.read_text() if file.exists() else ""
    difference = "\n".join(
        difflib.unified_diff(recorded.splitlines(), text.splitlines(), "recorded", "now", lineterm="")
    )
    assert text == recorded, f"{difference}\nIf this is what you meant: RECORD_SNAPSHOTS=1 pytest {__file__}"


def test_no_snapshot_is_left_of_a_stack_that_is_gone() -> None:
    expected = {f"{stack}.{mode}.yaml" for stack in STACKS for mode in ("preview", "up")}
    assert {file.name for file in SNAPSHOTS.glob("*.yaml")} == expected
