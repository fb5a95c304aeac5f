"""Answers questions about one kind of card: `python -m inside CARD_JSON LIBCUDA SCRATCH`.

Standard input: a question per line. Standard output: first a line once vLLM is loaded, then an answer per line, in
order. Each question has a process of its own, forked from one in which vLLM is loaded: a crash costs one answer.
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

# vLLM and its libraries log to standard output, where only answers belong.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

from inside import apart  # noqa: E402
from inside import card as pretended  # noqa: E402
from inside.question import Question  # noqa: E402

_EARLY = (
    "flashinfer",
    "vllm.third_party.deep_gemm",
    "vllm.model_executor.layers.fused_moe.layer",
    "vllm.v1.attention.backends.flash_attn",
    "vllm.v1.attention.backends.flashinfer",
)
"""Modules that must be loaded before tensors are faked."""


def main(arguments: list[str]) -> None:
    card, libcuda, scratch = json.loads(arguments[0]), Path(arguments[1]), Path(arguments[2])
    pretended.pretend(pretended.Card(**{**card, "capability": tuple(card["capability"])}), libcuda, scratch)
    for module in _EARLY:
        apart.load(module)
    from inside import build  # (it imports vLLM, which now believes in the card)
    from inside.builder import Builder

    build.patch()
    gc.freeze()
    _say({"ready": True})
    builders: dict[str, Builder] = {}
    proven: set[frozenset[str]] = set()
    for line in sys.stdin:
        question = Question(**json.loads(line))
        builder = builders.setdefault(question.model, Builder(scratch, proven))
        _say(builder.answer(question))
        gc.freeze()


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
