"""Each stack's graph is recorded once a mode and shared, read-only, by all tests."""

from collections.abc import Callable
from functools import cache

import pytest

from config import stack_names
from tests.graph.recorder import CHECKOUT, Graph, record

STACKS = stack_names(CHECKOUT)


@cache
def _recorded(stack: str, preview: bool) -> Graph:
    return record(stack, preview=preview)


@pytest.fixture
def graph_of() -> Callable[[str, bool], Graph]:
    return _recorded


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["preview", "up"])
def graph(request: pytest.FixtureRequest, stack: str) -> Graph:
    """The graph of every stack file, in both modes."""
    return _recorded(stack, request.param == "preview")
