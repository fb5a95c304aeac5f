"""Answers questions about one kind of card: `python -m inside CARD_JSON LIBCUDA SCRATCH`.

Standard input: a question per line. Standard output: first a line once vLLM is loaded, then an answer per line, in
order. Each question has a process of its own, forked from one in which vLLM is loaded: a crash costs one answer.
"""

import gc
import importlib
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# vLLM and its libraries log to standard output, where only answers belong.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

from inside import card as pretended  # noqa: E402
from inside.question import Question, Refused, Unanswerable  # noqa: E402

_SECONDS = 300
"""For one rank of one stage; the largest take some twenty."""
_EARLY = (
    "flashinfer",
    "vllm.third_party.deep_gemm",
    "vllm.model_executor.layers.fused_moe.layer",
    "vllm.v1.attention.backends.flash_attn",
    "vllm.v1.attention.backends.flashinfer",
)
"""Modules that must be loaded before tensors are faked."""
_THEIRS = (ValueError, AssertionError, NotImplementedError)
"""What vLLM raises to refuse; pydantic's errors are ValueErrors."""
_LEFT_BEHIND = 4096
"""Bytes."""

Answer = dict[str, Any]


def main(arguments: list[str]) -> None:
    card, libcuda, scratch = json.loads(arguments[0]), Path(arguments[1]), Path(arguments[2])
    pretended.pretend(pretended.Card(**{**card, "capability": tuple(card["capability"])}), libcuda, scratch)
    for module in _EARLY:
        _load(module)
    from inside import build, cache  # noqa: F401  (they import vLLM, which now believes in the card)

    build.patch()
    gc.freeze()
    _say({"ready": True})
    builders: dict[str, Builder] = {}
    for line in sys.stdin:
        question = Question(**json.loads(line))
        builder = builders.setdefault(question.model, Builder(scratch))
        _say(builder.answer(question))
        gc.freeze()


def _say(answer: Answer) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def _load(module: str) -> None:
    """A module that this release or machine has not, is not needed either: what needs it says so when it is built."""
    try:
        importlib.import_module(module)
    except Exception as error:
        print(f"{module}: {type(error).__name__}: {error}", file=sys.stderr)


class Builder:
    """Answers all questions about one model: the first by building it whole, others by its kinds of layers."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._kinds: Any = None
        self._asked = False

    def answer(self, question: Question) -> Answer:
        """What vLLM says. A refusal or failure of a model of few layers is never taken: it is built whole then."""
        if self._kinds is not None:
            answer, _ = self._built(question, self._kinds)
            if "weights" in answer:
                return answer
        answer, kinds = self._built(question, None)
        if "weights" in answer and not self._asked:
            self._asked = True
            if _alike(self._built(question, kinds)[0], answer):
                self._kinds = kinds
        return answer

    def _built(self, question: Question, known: Any) -> tuple[Answer, Any]:
        """The answer of a process of its own, its refusal or failure; and the kinds of the layers it built."""
        try:
            return _forked(lambda: _answer(question, self._scratch, known))
        except Refused as refused:
            return {"refusal": str(refused)}, None
        except Unanswerable as failed:
            return {"failure": str(failed)}, None


def _alike(few: Answer, whole: Answer) -> bool:
    """But for a number or two of 512 bytes each that a module leaves on the GPU when it is loaded."""
    if few.get("groups") != whole["groups"] or few.get("block_bytes") != whole["block_bytes"]:
        return False
    return all(abs(one - other) <= _LEFT_BEHIND for one, other in zip(few["weights"], whole["weights"], strict=True))


def _answer(question: Question, scratch: Path, known: Any) -> tuple[Answer, Any]:
    from inside import build, cache

    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        build.write_checkpoint(question, folder)
        config = build.engine_config(question, folder)
        others = [_other_stage(question, folder, stage, known) for stage in range(1, question.pipeline)]
        first = build.build(question, config, 0, known)
    stages = [first, *others]
    block_bytes, groups = cache.describe(config, [stage.caches for stage in stages])
    answer = {"weights": [stage.weights for stage in stages], "block_bytes": block_bytes, "groups": groups}
    return answer, build.kinds_of(stages)


def _other_stage(question: Question, folder: Path, stage: int, known: Any) -> Any:
    from inside import build

    def work() -> Any:
        return build.build(question, build.engine_config(question, folder), stage, known)

    return _forked(work)


def _forked(work: Callable[[], Any]) -> Any:
    """What `work` returns in a forked process. Raises Refused or Unanswerable."""
    import pickle

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(_outcome(work), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        if not select.select([pipe], [], [], _SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if not content:
        raise Unanswerable(f"its process ended with {os.waitstatus_to_exitcode(status)}")
    learned, outcome = pickle.loads(content)
    for module in learned:  # so that the next question need not load them again
        _load(module)
    if isinstance(outcome, Refused | Unanswerable):
        raise outcome
    return outcome


def _outcome(work: Callable[[], Any]) -> tuple[list[str], Any]:
    before = set(sys.modules)
    try:
        outcome = work()
    except (Refused, Unanswerable) as said:
        outcome = said
    except Exception as error:
        outcome = _judged(error)
    return sorted(name for name in set(sys.modules) - before if name.startswith("vllm.")), outcome


def _judged(error: Exception) -> Refused | Unanswerable:
    """A refusal is an error that vLLM's own code raises on purpose; anything else, this oracle does not understand."""
    frames = traceback.extract_tb(error.__traceback__)
    raised_by = next((frame for frame in reversed(frames) if "/pydantic/" not in frame.filename), None)
    # A bare assertion says what it wants in its own line.
    words = _words(error) or (raised_by.line if raised_by is not None else None)
    if words and isinstance(error, _THEIRS) and raised_by is not None and "/vllm/" in raised_by.filename:
        return Refused(words)
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:]]
    return Unanswerable(f"{type(error).__name__}: {words or error!r} at {', '.join(where)}")


def _words(error: Exception) -> str:
    """The first sentence or two, on one line, without pydantic's frame around them."""
    text = str(error)
    if "Value error, " in text:
        text = text.split("Value error, ", 1)[1].split(" [type=", 1)[0]
    text = " ".join(text.split())
    text = text.split(" Supported architectures:", 1)[0]
    return text if len(text) <= 300 else text[:297] + "..."


if __name__ == "__main__":
    main(sys.argv[1:])
