"""`python -m tests.vllm.variants`: asks vLLM's own code of each variant, and writes what it says beside them."""

import json

from oracle.ask import Answer, ask
from tests.unit.configs.variants import ANSWERS, questions


def main() -> None:
    wanted = questions()
    answers = ask([question for _, question in wanted], "9.0")
    said = {key: _judged(answer) for (key, _), (_, answer) in zip(wanted, answers, strict=True)}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(answer)}" for key, answer in said.items())
    ANSWERS.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


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
    )
    return {"refusal": failure} if failure.startswith(ends) else answer


if __name__ == "__main__":
    main()
