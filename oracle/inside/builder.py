"""Answers all questions about one model: the first by building it whole, others by its kinds of layers."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inside import alike, build, cache
from inside.apart import apart
from inside.question import Question, Refused, Unanswerable

_LEFT_BEHIND = 4096
"""Bytes."""

Answer = dict[str, Any]


@dataclass(frozen=True)
class _Built:
    """An answer, its refusal or failure; and of the layers that were built for it their kinds and methods."""

    answer: Answer
    kinds: alike.Kinds
    methods: frozenset[str]


class Builder:
    """`proven`: the methods and kernels of models whose layers counted as often as they are there said the same as all
    of them built, on this card."""

    def __init__(self, scratch: Path, proven: set[frozenset[str]]) -> None:
        self._scratch = scratch
        self._proven = proven
        self._kinds: alike.Kinds | None = None
        self._asked = False

    def answer(self, question: Question) -> Answer:
        """What vLLM says, and the kinds of layers where they have just been found to hold on this card.

        A refusal or failure of a model of few layers is never taken: it is built whole then.
        """
        if self._kinds is not None:
            answer = self._built(question, self._kinds).answer
            if "weights" in answer:
                return answer
        elif question.kinds is not None and not self._asked:
            answer = self._by_kinds_of_another_card(question, alike.from_json(question.kinds))
            if answer is not None:
                return answer
        whole = self._built(question, None)
        if "weights" in whole.answer and not self._asked:
            self._asked = True
            if _same(self._built(question, whole.kinds).answer, whole.answer):
                self._kinds = whole.kinds
                self._proven.add(whole.methods)
                return {**whole.answer, "kinds": alike.as_json(whole.kinds)}
        return whole.answer

    def _by_kinds_of_another_card(self, question: Question, kinds: alike.Kinds) -> Answer | None:
        """The answer if the first, second and last layer of each kind are alike on this card too, and made of what was
        proven on it."""
        built = self._built(question, kinds, doubted=True)
        if "weights" not in built.answer or built.methods not in self._proven or not alike.hold(kinds, built.kinds):
            return None
        self._asked = True
        self._kinds = kinds
        return built.answer

    def _built(self, question: Question, known: alike.Kinds | None, *, doubted: bool = False) -> _Built:
        try:
            return apart(lambda: _answer(question, self._scratch, known, doubted))
        except Refused as refused:
            return _Built({"refusal": str(refused)}, {}, frozenset())
        except Unanswerable as failed:
            return _Built({"failure": str(failed)}, {}, frozenset())


def _same(few: Answer, whole: Answer) -> bool:
    """But for a number or two of 512 bytes each that a module leaves on the GPU when it is loaded."""
    if few.get("groups") != whole["groups"] or few.get("block_bytes") != whole["block_bytes"]:
        return False
    return all(abs(one - other) <= _LEFT_BEHIND for one, other in zip(few["weights"], whole["weights"], strict=True))


def _answer(question: Question, scratch: Path, known: alike.Kinds | None, doubted: bool) -> _Built:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        build.write_checkpoint(question, folder)
        config = build.engine_config(question, folder)
        others = [_other_stage(question, folder, stage, known, doubted) for stage in range(1, question.pipeline)]
        first = build.build(question, config, 0, known, doubted)
    stages = [first, *others]
    block_bytes, groups = cache.describe(config, [stage.caches for stage in stages])
    answer = {"weights": [stage.weights for stage in stages], "block_bytes": block_bytes, "groups": groups}
    return _Built(answer, build.kinds_of(stages), frozenset().union(*(stage.methods for stage in stages)))


def _other_stage(question: Question, folder: Path, stage: int, known: alike.Kinds | None, doubted: bool) -> build.Stage:
    return apart(lambda: build.build(question, build.engine_config(question, folder), stage, known, doubted))
