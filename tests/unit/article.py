"""The article's four workloads, planned from the stack file of that name."""

from pathlib import Path
from typing import Any

import pytest

from components.manifests.server_pod import Role
from config import ConfigurationError, read_stack_file
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from tests.unit.serving import (
    ONE_GPU,
    platform,
)

CHECKOUT = Path(__file__).parents[2]
PLAN: PlatformPlan = plan_platform(read_stack_file(CHECKOUT, "article"), "article")
MODELS = {model.name: model for model in PLAN.models}
ONE, TWO, EIGHT, GROUP = (
    MODELS[name] for name in ("vllm-single-node", "vllm-multi-gpu-2", "vllm-multi-gpu-8", "vllm-multi-node")
)
ROLES = [(model, role) for model in (ONE, TWO, EIGHT) for role in [Role.SERVER]] + [
    (GROUP, Role.LEADER),
    (GROUP, Role.WORKER),
]
NAMES = [f"{model.name} {role}" for model, role in ROLES]
every_pod = pytest.mark.parametrize(("model", "role"), ROLES, ids=NAMES)
every_model = pytest.mark.parametrize("model", PLAN.models, ids=lambda model: model.name)


def refused(model: dict[str, Any], **pool: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        platform(model, **pool)
    return str(caught.value)


def extra(*words: str) -> dict[str, Any]:
    return {**ONE_GPU, "engine": {"extraArgs": list(words)}}
