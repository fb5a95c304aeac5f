"""The rules of the policy over the recorded registrations of every stack file."""

import pytest

from config import stack_names
from policy import Resource, Stack, check
from tests.graph.recorder import CHECKOUT, record

STACKS = stack_names(CHECKOUT)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_keeps_every_rule(stack: str, preview: bool) -> None:
    resources = tuple(
        Resource(
            type=registration.type,
            name=registration.name,
            properties=registration.inputs,
            protect=bool(registration.options["protect"]),
        )
        for registration in record(stack, preview=preview).registrations
    )
    broken = [finding for finding in check(Stack(name=stack, resources=resources)) if finding.rule.mandatory]
    assert [f"{found.rule.id}: {found.resource and found.resource.name} {found.message}" for found in broken] == []
