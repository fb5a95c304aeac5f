"""`python -m tests.vllm.variants`: asks vLLM's own code of each variant on each card, and writes what it says beside
them."""

import json

from oracle.ask import Answer, ask
from tests.unit.configs.variants import ANSWERS, questions

CAPABILITIES = ("9.0", "8.0", "8.9", "10.0", "12.0")
"""Those of 10.3 are 10.0's kernels."""


def main() -> None:
    cards = ",\n".join(f" {json.dumps(capability)}: {_asked(capability)}" for capability in CAPABILITIES)
    ANSWERS.write_text("{\n" + cards + "\n}\n", encoding="utf-8")


def _asked(capability: str) -> str:
    wanted = questions()
    answers = ask([question for _, question in wanted], capability)
    said = {key: _judged(answer) for (key, _), (_, answer) in zip(wanted, answers, strict=True)}
    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(answer)}" for key, answer in said.items()) + "\n }"


def _judged(answer: Answer) -> Answer:
    """What else ends a server: an assertion without words, a class of transformers that refuses its own config, and
    what vLLM raises of a format that it has no kernel for, or no more."""
    failure = str(answer.get("failure", ""))
    ends = (
        "AssertionError",
        "StrictDataclass",
        "DeprecationWarning",
        'RuntimeError: "Unsupported',
        'TypeError: "Flash',
        "AttributeError: \"'QKVParallelLinear'",
        "RuntimeError: \"shape '[128, 2,",
    )
    if failure.startswith(ends):
        return {"refusal": failure}
    return {"failure": "no answer"} if failure else answer


if __name__ == "__main__":
    main()
