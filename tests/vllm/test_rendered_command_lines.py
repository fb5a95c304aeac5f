"""Every command line that a stack of this checkout would run, before the parser of the vLLM that would run it."""

from pathlib import Path
from typing import Any

import pytest

from config import read_stack_file, stack_names
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from planning.serving.arguments import expanded
from tests.graph.broken_stacks import outcomes
from tests.unit.serving import EIGHT_GPUS, ONE_GPU, TWO_NODES
from tests.unit.test_weights_bucket import BUCKET, platform
from tests.vllm import environment

pytestmark = pytest.mark.vllm

CHECKOUT = Path(__file__).parents[2]
STACKS = stack_names(CHECKOUT)
_BROKEN = range(30)
"""Broken files of each stack."""


def rendered(plans: list[PlatformPlan]) -> list[tuple[str, ...]]:
    """The command lines of every pod of every model, as its container gets them."""
    models = [model for plan in plans for model in plan.models]
    lines = [expanded(model.arguments, 0) for model in models]
    lines += [expanded(model.worker_arguments, 1) for model in models if model.worker_arguments]
    return list(dict.fromkeys(map(tuple, lines)))


def test_the_parser_accepts_what_every_stack_runs() -> None:
    assert refused([plan_platform(read_stack_file(CHECKOUT, stack), stack) for stack in STACKS]) == {}


def test_the_parser_accepts_what_the_plan_accepts_of_broken_stack_files(tmp_path: Path) -> None:
    # The models alone, since they are what becomes words of a command line.
    broken = [each for stack in STACKS for each in outcomes(tmp_path, stack, _BROKEN, "inference-platform:models")]
    plans = [outcome.plan for outcome in broken if outcome.plan is not None]
    # Two of each stack: most files that are broken by chance are refused.
    assert len(plans) >= 2 * len(STACKS)
    assert refused(plans) == {}


@pytest.mark.parametrize("model", [ONE_GPU, EIGHT_GPUS, TWO_NODES], ids=["one GPU", "eight GPUs", "two nodes"])
def test_the_parser_accepts_servers_that_stream_from_a_bucket(model: dict[str, Any]) -> None:
    plan = platform({**model, **BUCKET})
    assert any(word.startswith("gs://") for line in rendered([plan]) for word in line)
    assert refused([plan]) == {}


def refused(plans: list[PlatformPlan]) -> dict[str, str]:
    """The command lines that vLLM's parser does not take, with its reason."""
    lines = rendered(plans)
    assert lines
    return {" ".join(line): why for line, why in zip(lines, environment.refusals(lines), strict=True) if why}
