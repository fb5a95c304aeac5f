"""The whole graph of every stack file, resource by resource. A change here is a change people will see in a preview."""

from collections.abc import Callable

from tests.graph import snapshots
from tests.graph.conftest import STACKS
from tests.graph.recorder import Graph
from tests.reviewed import assert_as_reviewed


def test_graph_is_the_one_that_was_reviewed(stack: str, graph_of: Callable[[str, bool], Graph]) -> None:
    assert_as_reviewed(snapshots.FOLDER / f"{stack}.yaml", snapshots.text(graph_of(stack, False)))


def test_no_snapshot_is_left_of_a_stack_that_is_gone() -> None:
    assert {file.stem for file in snapshots.FOLDER.glob("*.yaml")} == set(STACKS)
