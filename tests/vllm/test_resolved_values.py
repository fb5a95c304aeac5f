"""What the plan resolved is what vLLM resolves of the command line: for every stack, and for what a stack may ask."""

from typing import Any

import pytest

from catalog import ACCELERATORS, PINS
from config import read_stack_file, stack_names
from oracle.published import config_of
from planning.engine import capture_sizes, engine_of
from planning.plan import ModelServerPlan
from planning.platform import plan_platform
from planning.serving.arguments import expanded
from tests.unit.serving import ONE_GPU, planned
from tests.vllm import environment
from tests.vllm.test_rendered_command_lines import CHECKOUT

pytestmark = pytest.mark.vllm

ASKED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "few sequences": {"maxNumSeqs": 3},
    "more sequences than tokens": {"maxNumSeqs": 9000},
    "a step without graphs of every size": {"maxNumBatchedTokens": 30, "maxNumSeqs": 30},
    "throughput": {"engine": {"performanceMode": "throughput"}},
    "interactivity": {"engine": {"performanceMode": "interactivity"}},
    "whole prompts": {"maxModelLen": 16384, "engine": {"enableChunkedPrefill": False}},
    "a narrow cache": {"kvCacheDtype": "fp8"},
    "drafts": {"engine": {"speculative": {"method": "ngram", "tokens": 3, "promptLookupMax": 4}}},
}


def by_capability() -> dict[str, list[tuple[str, ModelServerPlan]]]:
    """Every model of every stack, and what a stack may ask of one on a card of its own."""
    capabilities = {entry.gke_label: entry.compute_capability for entry in ACCELERATORS.values()}
    plans = [
        (f"{stack}: {model.name}", model)
        for stack in stack_names(CHECKOUT)
        for model in plan_platform(read_stack_file(CHECKOUT, stack), stack).models
    ]
    plans += [(name, planned({**ONE_GPU, **asked})) for name, asked in ASKED.items()]
    found: dict[str, list[tuple[str, ModelServerPlan]]] = {}
    for name, plan in plans:
        found.setdefault(capabilities[plan.gpu_type], []).append((name, plan))
    return found


PLANS = by_capability()


def expected(plan: ModelServerPlan) -> dict[str, Any]:
    settings = plan.shape.settings
    return {
        "max_model_len": settings.max_model_len,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "max_num_seqs": settings.max_num_seqs,
        "max_num_batched_tokens": settings.max_num_batched_tokens,
        "chunked_prefill": "--no-enable-chunked-prefill" not in plan.arguments,
        "prefix_caching": True,
        "own_block_size": False,
        "graphs": list(capture_sizes(settings)),
        "tensor": plan.shape.tensor_parallel,
        "pipeline": plan.shape.pipeline_parallel,
        "experts": plan.shape.expert_parallel,
        "default_block_size": engine_of(PINS.vllm).defaults.block_size,
    }


@pytest.mark.parametrize("capability", PLANS)
def test_vllm_resolves_what_the_plan_resolved(capability: str) -> None:
    plans = PLANS[capability]
    answers = environment.resolved(
        capability, [(config_of(plan.model), expanded(plan.arguments, 0)) for _, plan in plans]
    )
    differing = {
        name: wrong
        for (name, plan), answer in zip(plans, answers, strict=True)
        if (wrong := _wrong(expected(plan), answer))
    }
    assert differing == {}


def _wrong(wanted: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """By key what was planned and what vLLM says instead, which may be a refusal."""
    return {key: (value, answer.get(key, answer)) for key, value in wanted.items() if answer.get(key) != value}
