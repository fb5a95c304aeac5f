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
    """An assertion without words, and a class of transformers that refuses its own config, end a server as well."""
    failure = str(answer.get("failure", ""))
    return {"refusal": failure} if failure.startswith(("AssertionError", "StrictDataclass")) else answer


if __name__ == "__main__":
    main()
