"""Answers all questions about one model: the first by building it whole, others by its kinds of layers."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inside import alike, build, cache
from inside.apart import apart
from inside.build import Manner
from inside.question import Question, Refused, Unanswerable

_LEFT_BEHIND = 4096
"""Bytes."""

Answer = dict[str, Any]


@dataclass(frozen=True)
class _Built:
    """An answer, its refusal or failure; and of the layers that were built for it their kinds and methods."""

    answer: Answer
    """Empty where nothing was loaded."""
    kinds: alike.Kinds
    methods: frozenset[str]


class Builder:
    """`proven`: the methods and kernels of models whose layers counted as often as they are there said the same as all
    of them built, on this card, or as more of them where another card's whole build had said so."""

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
            answer = self._built(question, Manner(self._kinds)).answer
            return answer if "weights" in answer else self._built(question, Manner()).answer
        if self._asked:
            return self._built(question, Manner()).answer
        if question.kinds is not None:
            answer = self._by_kinds_of_another_card(question, alike.from_json(question.kinds))
            if answer is not None:
                return answer
        return self._first(question)

    def _by_kinds_of_another_card(self, question: Question, kinds: alike.Kinds) -> Answer | None:
        """The answer if the first, second and last layer of each kind are alike on this card too, and made of what was
        proven on it: by a whole model, or here, where those three and two of each kind say the same."""
        built = self._built(question, Manner(kinds, doubted=True))
        if "weights" not in built.answer or not alike.hold(kinds, built.kinds):
            return None
        if not self._is_proven(built):
            if not _same(self._built(question, Manner(kinds)).answer, built.answer):
                return None
            self._proven.add(built.methods)
        self._asked = True
        self._kinds = kinds
        return built.answer

    def _first(self, question: Question) -> Answer:
        """The answer by all layers, or by the kinds that all of them show where they are made of what was proven."""
        whole = self._built(question, Manner(proven=frozenset(self._proven)))
        if not whole.answer:
            few = self._built(question, Manner(whole.kinds))
            if "weights" in few.answer:
                self._asked = True
                self._kinds = whole.kinds
                return {**few.answer, "kinds": alike.as_json(whole.kinds)}
            whole = self._built(question, Manner())
        if "weights" in whole.answer:
            self._asked = True
            if _same(self._built(question, Manner(whole.kinds)).answer, whole.answer):
                self._kinds = whole.kinds
                self._proven.add(whole.methods)
                return {**whole.answer, "kinds": alike.as_json(whole.kinds)}
        return whole.answer

    def _is_proven(self, built: _Built) -> bool:
        return any(built.methods <= proven for proven in self._proven)

    def _built(self, question: Question, manner: Manner) -> _Built:
        try:
            return apart(lambda: _answer(question, self._scratch, manner))
        except Refused as refused:
            return _Built({"refusal": str(refused)}, {}, frozenset())
        except Unanswerable as failed:
            return _Built({"failure": str(failed)}, {}, frozenset())


def _same(few: Answer, whole: Answer) -> bool:
    """Whether both are alike, but for numbers of 512 bytes that a module leaves on the GPU when it is loaded."""
    if any(few.get(name) != whole[name] for name in ("groups", "block_bytes")):
        return False
    return all(abs(one - other) <= _LEFT_BEHIND for one, other in zip(few["weights"], whole["weights"], strict=True))


def _answer(question: Question, scratch: Path, manner: Manner) -> _Built:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        build.write_checkpoint(question, folder)
        config = build.engine_config(question, folder)
        others = [_other_stage(question, folder, stage, manner) for stage in range(1, question.pipeline)]
        first = build.build(question, config, 0, manner)
    stages = [first, *others]
    kinds, methods = build.kinds_of(stages), frozenset[str]().union(*(stage.methods for stage in stages))
    if not all(stage.loaded for stage in stages):
        return _Built({}, kinds, methods)
    block_bytes, groups = cache.describe(config, [stage.caches for stage in stages])
    answer = {"weights": [stage.weights for stage in stages], "block_bytes": block_bytes, "groups": groups}
    return _Built(answer, kinds, methods)


def _other_stage(question: Question, folder: Path, stage: int, manner: Manner) -> build.Stage:
    return apart(lambda: build.build(question, build.engine_config(question, folder), stage, manner))
