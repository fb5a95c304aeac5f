"""Configs that are hard to read: the plan's formulas say what vLLM's own code said of each, or refuse it by name."""

import pytest

from catalog.hugging_face import UnreadableConfigError
from oracle.compare import compare, model_of
from oracle.question import Question
from planning.weights import MIB
from tests.unit.configs.variants import UNMODELLED, answers, excuse, questions

ASKED = questions()
SAID = answers()
ALLOCATOR = 2 * MIB
"""The bytes a layer that a tensor of 20 MiB and more may be off by: it is rounded up, and so counts on small models."""


def test_every_variant_was_asked_about_on_every_card() -> None:
    assert set(SAID) == {"8.0", "8.9", "9.0", "10.0", "12.0"}
    assert all(set(said) == {key for key, _ in ASKED} for said in SAID.values())
    assert len({question.config.id for _, question in ASKED}) >= 250


@pytest.mark.parametrize("capability", SAID)
@pytest.mark.parametrize(("key", "question"), ASKED, ids=[key for key, _ in ASKED])
def test_the_plan_says_what_vllm_said(key: str, question: Question, capability: str) -> None:
    said = SAID[capability][key]
    if "failure" in said:
        pytest.skip("the oracle could not say")
    name = question.config.id.removeprefix("variant/")
    if name in UNMODELLED:
        with pytest.raises(UnreadableConfigError, match=UNMODELLED[name]):
            model_of(question.config)
        return
    rows = compare([(question, said)], capability, formulas=True).rows
    if not rows:
        pytest.skip("no machine with that card has so many GPUs")
    (row,) = rows
    if excuse(name, capability) is not None:
        assert row.fault is not None, f"{name} needs no excuse"
        return
    if row.kind == "weights" and row.cache_exact and row.weights_error is not None:
        off = abs(row.weights_error) / 100 * max(said["weights"])
        assert off <= ALLOCATOR * model_of(question.config).layers, row.fault
        return
    assert row.fault is None, row.fault
