"""Every command line that a stack of this checkout would run, before the parser of the vLLM that would run it."""

from pathlib import Path

import pytest

from config import read_stack_file, stack_names
from planning.platform import plan_platform
from planning.serving.arguments import expanded
from tests.vllm import environment

pytestmark = pytest.mark.vllm

CHECKOUT = Path(__file__).parents[2]
STACKS = stack_names(CHECKOUT)


def rendered() -> list[tuple[str, ...]]:
    """The command lines of every pod of every model, as its container gets them."""
    models = [model for stack in STACKS for model in plan_platform(read_stack_file(CHECKOUT, stack), stack).models]
    lines = [expanded(model.arguments, 0) for model in models]
    lines += [expanded(model.worker_arguments, 1) for model in models if model.worker_arguments]
    return list(dict.fromkeys(map(tuple, lines)))


def test_the_parser_accepts_what_every_stack_runs() -> None:
    lines = rendered()
    assert lines
    refused = {" ".join(line): why for line, why in zip(lines, environment.refusals(lines), strict=True) if why}
    assert refused == {}
