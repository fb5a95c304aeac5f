"""Writes what vLLM's own code said of a model where the plan reads it: one small file, a line for each shape."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from catalog.model import KvCacheDtype
from catalog.recorded import Record, RecordedCase, read_record
from oracle import environment
from oracle.ask import Answer
from oracle.question import Config, Question


def case_of(question: Question, answer: Answer) -> RecordedCase | None:
    """What a plan may read of an answer; None where the oracle could not say."""
    if "failure" in answer:
        return None
    said: dict[str, Any] = {key: value for key, value in answer.items() if key != "failure"}
    return RecordedCase(
        tensor=question.tensor,
        pipeline=question.pipeline,
        expert_parallel=question.expert_parallel,
        cache=question.cache,
        draft_tokens=question.draft_tokens,
        **said,
    )


def answers_of(made: Record, capability: str) -> Iterator[tuple[Question, Answer]]:
    """The cases of a record as they were answered."""
    config = Config(made.model, made.config, {})
    for case in made.capabilities.get(capability, ()):
        question = Question(config, case.tensor, case.pipeline, case.expert_parallel, case.cache, case.draft_tokens)
        if case.refusal is not None:
            yield question, {"refusal": case.refusal}
        else:
            yield question, case.model_dump(mode="json", include={"weights", "block_bytes", "groups"})


def record(config: Config, capability: str, answers: Iterable[tuple[Question, Answer]], target: Path) -> Record:
    """Writes the answers of one card into the model's file; those of another card stay if the config is the same."""
    cases = [case for question, answer in answers if (case := case_of(question, answer)) is not None]
    kept: dict[str, tuple[RecordedCase, ...]] = {}
    if target.exists():
        before = read_record(target)
        kept = before.capabilities if before.digest == config.digest else {}
    merged = {case_key(case): case for case in (*kept.get(capability, ()), *cases)}
    made = Record(
        model=config.id,
        vllm=environment.VLLM_VERSION,
        config=config.source,
        digest=config.digest,
        capabilities={
            **{name: found for name, found in kept.items() if name != capability},
            capability: tuple(merged[key] for key in sorted(merged)),
        },
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_text(made), encoding="utf-8")
    return made


def case_key(case: RecordedCase) -> tuple[bool, bool, str, int, int]:
    """Plain shapes first, then experts dealt out, other caches and drafts."""
    plain = case.cache is not KvCacheDtype.AUTO
    return (plain, case.expert_parallel, f"{case.cache} {case.draft_tokens:03}", case.pipeline, case.tensor)


def as_text(made: Record) -> str:
    """JSON with a line for each case, so that a new release shows as a readable difference."""
    head = made.model_dump(mode="json", by_alias=True, exclude={"capabilities"})
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    cards = [
        f"    {json.dumps(capability)}: [\n" + ",\n".join(f"      {_line(case)}" for case in cases) + "\n    ]"
        for capability, cases in sorted(made.capabilities.items(), key=lambda item: float(item[0]))
    ]
    return "{\n" + "\n".join(lines) + '\n  "capabilities": {\n' + ",\n".join(cards) + "\n  }\n}\n"


def _line(case: RecordedCase) -> str:
    return json.dumps(case.model_dump(mode="json", by_alias=True, exclude_defaults=True))
