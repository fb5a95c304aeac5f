"""Configs that are hard to read: the plan's formulas say what vLLM's own code said of each, or refuse it by name."""

import pytest

from catalog.hugging_face import UnreadableConfigError
from oracle.compare import compare, model_of
from oracle.question import Question
from planning.weights import MIB
from tests.unit.configs.variants import EXCUSED, UNMODELLED, answers, questions

ASKED = questions()
SAID = answers()
ALLOCATOR = 2 * MIB
"""The bytes a layer that a tensor of 20 MiB and more may be off by: it is rounded up, and so counts on small models."""


def test_every_variant_was_asked_about() -> None:
    assert set(SAID) == {key for key, _ in ASKED}
    assert len({question.config.id for _, question in ASKED}) >= 100


@pytest.mark.parametrize(("key", "question"), ASKED, ids=[key for key, _ in ASKED])
def test_the_plan_says_what_vllm_said(key: str, question: Question) -> None:
    name = question.config.id.removeprefix("variant/")
    if name in UNMODELLED:
        with pytest.raises(UnreadableConfigError, match=UNMODELLED[name]):
            model_of(question.config)
        return
    (row,) = compare([(question, SAID[key])], "9.0", formulas=True).rows
    if name in EXCUSED:
        assert row.fault is not None, f"{name} needs no excuse"
        return
    if row.kind == "weights" and row.cache_exact and row.weights_error is not None:
        off = abs(row.weights_error) / 100 * max(SAID[key]["weights"])
        assert off <= ALLOCATOR * model_of(question.config).layers, row.fault
        return
    assert row.fault is None, row.fault
