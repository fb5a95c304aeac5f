"""What a person sees who runs the program in the plain way with a configuration that cannot be used."""

import pulumi
import pytest

from config import read_stack_file
from planning.platform import plan_platform
from tests.graph.conftest import STACKS
from tests.graph.recorder import CHECKOUT, NAMESPACE, TOKEN, Graph, record, stack_config


def _refused(**changes: str | None) -> tuple[str, Graph]:
    config = stack_config("h200") | {f"{NAMESPACE}:{key}": value for key, value in changes.items()}
    graph = Graph()
    with pytest.raises(pulumi.RunError) as caught:
        record("h200", preview=False, config={k: v for k, v in config.items() if v is not None}, graph=graph)
    return str(caught.value), graph


@pytest.mark.parametrize(
    ("changes", "where", "advice"),
    [
        ({"project": None}, "inference-platform:project: is missing", "pulumi config set inference-platform:project"),
        ({"huggingFaceToken": None}, "inference-platform:huggingFaceToken: is missing", "pulumi config set --secret"),
        ({"project": "Acme"}, "inference-platform:project", "acme-inference"),
        ({"nodePool": "[]"}, "inference-platform:nodePool: is no key", "Did you mean nodePools?"),
        ({"nodePools": "three"}, "inference-platform:nodePools", ""),
        ({"nodePools": "[{"}, "inference-platform:nodePools", ""),
        ({"region": "Mars"}, "inference-platform:region", "us-central1"),
    ],
)
def test_a_wrong_configuration_is_one_error_and_registers_nothing(
    changes: dict[str, str | None], where: str, advice: str
) -> None:
    text, graph = _refused(**changes)
    assert where in text and advice in text
    assert TOKEN not in text
    assert graph.registrations == []


@pytest.mark.parametrize("stack", STACKS)
def test_both_doors_lead_to_the_same_plan(stack: str) -> None:
    plans: list[str] = []
    import planning.platform

    original = planning.platform.plan_platform

    def remember(*arguments: object) -> object:
        plan = original(*arguments)  # pyright: ignore
        plans.append(plan.model_dump_json())
        return plan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning.platform, "plan_platform", remember)
        record(stack, preview=True)
    assert plans == [plan_platform(read_stack_file(CHECKOUT, stack), stack).model_dump_json()]
