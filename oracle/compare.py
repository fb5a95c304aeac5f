"""Lays what the plan says beside what vLLM's own code says: weights, blocks and refusals, for every shape.

The plan must be within 1 % in weights, exact in the cache's blocks, and refuse what vLLM refuses. What it is known to
miss stands in exceptions.yaml, with its cause.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from catalog import ACCELERATORS, PINS
from catalog.hugging_face import UnreadableConfigError, model_from_config
from catalog.model import MODELS, Model
from oracle.ask import Answer
from oracle.question import Config, Question
from oracle.records import case_of
from planning.candidates import draft_objection
from planning.engine import (
    ServeSettings,
    default_max_num_batched_tokens,
    default_max_num_seqs,
    engine_of,
    graph_rules,
)
from planning.kv_cache import KvLayout, kv_layout
from planning.legality import attention_objection, cache_objection, pipeline_objection, tensor_objection
from planning.memory import cache_settings, counted_weights
from planning.recorded import Answer as Recorded
from planning.recorded import recorded_answer
from planning.server import Server
from planning.shape import GpuNode, ShapeRequest
from planning.weights import COMMUNICATOR, Sharding, stages_of

_LIMIT = 1.0
"""Per cent that weights may be off."""
_LENGTHS = (4096, 32768)
"""The lengths of a request, in tokens, at which blocks are compared besides the whole context."""
_IN_FLIGHT = 16384
EXCEPTIONS = Path(__file__).parent / "exceptions.yaml"
_NODES = {"9.0": "h200", "8.9": "l4", "8.0": "a100-80gb", "10.0": "b200", "10.3": "gb300", "12.0": "rtx-pro-6000"}


@dataclass(frozen=True)
class Row:
    """One shape: how far the plan differs, or what is wrong with it."""

    name: str
    shape: str
    capability: str = ""
    weights_error: float | None = None
    """Per cent; positive where the plan counts more."""
    cache_exact: bool | None = None
    fault: str | None = None
    """What is wrong, in words; None: the plan is right."""
    kind: str = ""
    """What the fault is of: weights, cache, refusal or reader."""


@dataclass
class Table:
    """The rows, those that are excused, and the exceptions that excused nothing."""

    capability: str
    rows: list[Row] = field(default_factory=list[Row])
    unanswered: list[str] = field(default_factory=list[str])
    refused_alike: int = 0
    uncounted: int = 0
    """Shapes of models that no formula counts, so that there is nothing to lay beside vLLM."""

    @property
    def faults(self) -> list[Row]:
        return [row for row in self.rows if row.fault is not None and excuse(row) is None]

    @property
    def excused(self) -> list[Row]:
        return [row for row in self.rows if row.fault is not None and excuse(row) is not None]

    @property
    def holds(self) -> bool:
        return bool(self.rows) and not self.faults

    @property
    def steps(self) -> list[int]:
        """Shapes whose weights are within 0.1, 1 and 5 per cent, and worse."""
        errors = [abs(row.weights_error) for row in self.rows if row.weights_error is not None]
        return [sum(low < e <= high for e in errors) for low, high in ((-1, 0.1), (0.1, 1), (1, 5), (5, 1e9))]

    @property
    def exact_caches(self) -> tuple[int, int]:
        """Shapes whose cache blocks are exact, of how many."""
        caches = [row.cache_exact for row in self.rows if row.cache_exact is not None]
        return sum(caches), len(caches)

    def as_markdown(self) -> str:
        lines = [f"## The plan beside vLLM {PINS.vllm}, compute capability {self.capability}", "", *self._counts(), ""]
        for title, rows in (("Faults", self.faults), ("Known exceptions", self.excused)):
            if rows:
                lines += [f"### {title}", "", "| model | shape | what | why |", "| --- | --- | --- | --- |"]
                lines += [f"| {r.name} | {r.shape} | {r.fault} | {excuse(r) or ''} |" for r in rows]
                lines.append("")
        if self.unanswered:
            lines += ["### Without an answer", "", *(f"- {line}" for line in self.unanswered), ""]
        return "\n".join(lines)

    def _counts(self) -> Iterator[str]:
        exact, of = self.exact_caches
        yield "| | within 0.1 % | within 1 % | within 5 % | worse |"
        yield "| --- | --- | --- | --- | --- |"
        yield "| weights | " + " | ".join(map(str, self.steps)) + " |"
        yield ""
        yield (
            f"Cache blocks: {exact} of {of} exact. Refused by both: {self.refused_alike}. "
            f"Faults: {len(self.faults)}, known exceptions: {len(self.excused)}, "
            f"without an answer of vLLM: {len(self.unanswered)}."
        )


def compare(answers: Iterable[tuple[Question, Answer]], capability: str, *, formulas: bool = False) -> Table:
    """Every answer beside the plan. `formulas`: beside what the plan would say without its records."""
    table = Table(capability)
    accelerator = ACCELERATORS[_NODES[capability]]
    widest = max(accelerator.machine_types, key=lambda machine: machine.gpus)
    node = GpuNode.of(accelerator, widest)
    for question, answer in answers:
        if question.ranks > node.gpus:
            continue
        if "failure" in answer:
            table.unanswered.append(_unanswered(question, str(answer["failure"]), node, formulas=formulas))
            continue
        if formulas and not _counted(question.config):
            table.uncounted += 1
            continue
        row = replace(_row(question, answer, node, formulas=formulas), capability=capability)
        if row.fault is None and "refusal" in answer:
            table.refused_alike += 1
        table.rows.append(row)
    return table


def _unanswered(question: Question, failure: str, node: GpuNode, *, formulas: bool) -> str:
    """A line that says what the plan does where vLLM's own code gave no answer."""
    try:
        planned = _planned(model_of(question.config), question, node, formulas=formulas)
    except UnreadableConfigError as error:
        planned = str(error)
    does = f"refuses it: {planned}" if isinstance(planned, str) else "accepts it"
    return f"{question.config.id}, {question.shape}: {failure}; the plan {does}"


def _row(question: Question, answer: Answer, node: GpuNode, *, formulas: bool) -> Row:
    name, shape = question.config.id, question.shape
    try:
        model = model_of(question.config)
    except UnreadableConfigError as error:
        fault = None if "refusal" in answer else f"the plan reads no such model: {error}"
        return Row(name, shape, fault=fault, kind="reader")
    planned = _planned(model, question, node, formulas=formulas)
    if isinstance(planned, str):
        fault = None if "refusal" in answer else f"the plan refuses it: {planned}"
        return Row(name, shape, fault=fault, kind="refusal")
    if "refusal" in answer:
        return Row(name, shape, fault=f"vLLM refuses it: {answer['refusal']}", kind="refusal")
    return _beside(question, model, planned, answer)


def _counted(config: Config) -> bool:
    try:
        return model_of(config).counted
    except UnreadableConfigError:
        return True  # which is a fault, unless vLLM refuses it too


def model_of(config: Config) -> Model:
    """As the plan reads it: the catalogue's entry of that id, else the config.json. Raises UnreadableConfigError."""
    if config.id in MODELS:
        return MODELS[config.id]
    return model_from_config(config.config, config.id, config.quantization)


_Planned = tuple[list[float], list[KvLayout]]
"""Bytes of weights and the block pool, of each stage."""


def _planned(model: Model, question: Question, node: GpuNode, *, formulas: bool) -> _Planned | str:
    """What the plan counts, or why it refuses."""
    engine = engine_of(PINS.vllm)
    experts = question.expert_parallel if model.is_moe else None
    kernels = engine.kernels_on(node.card.capability)
    objection = (
        attention_objection(model, kernels)
        or tensor_objection(model, node, question.tensor, experts, cuts=engine.cuts_on(node.card.capability))
        or pipeline_objection(model, node, question.tensor, question.pipeline)
        or cache_objection(model, question.cache, kernels)
        or draft_objection(model, ShapeRequest(PINS.vllm, own_draft=question.draft_tokens > 0))
    )
    if objection is not None:
        return objection
    sharding = Sharding(question.tensor, question.pipeline, question.tensor if question.expert_parallel else 1)
    settings = ServeSettings(
        max_model_len=model.context,
        gpu_memory_utilization=0.9,
        max_num_seqs=default_max_num_seqs(node.card, engine),
        max_num_batched_tokens=default_max_num_batched_tokens(node.card, engine),
        block_size=engine.defaults.block_size,
        graphs=graph_rules(node.card, engine),
        kv_cache_dtype=question.cache,
        draft_tokens=question.draft_tokens,
        own_draft=question.draft_tokens > 0,
    )
    stages = stages_of(model, question.pipeline)
    server = Server(model, node.card, sharding, settings, engine)
    said = None if formulas else recorded_answer(server)
    if said is None and model.recorded_only:
        return "it is planned from records alone, and has none of this shape"
    if said is not None:
        if said.case.refusal is not None:
            return said.case.refusal
        return [said.weights(stage) for stage in stages], [said.layout(stage) for stage in stages]
    cache = cache_settings(server)
    weights = [counted_weights(server, stage) for stage in stages]
    return weights, [kv_layout(model, cache, question.tensor, question.pipeline, stage) for stage in stages]


def _beside(question: Question, model: Model, planned: _Planned, answer: Answer) -> Row:
    weights, layouts = planned
    extra = COMMUNICATOR if question.tensor > 1 else 0
    errors = [(ours - extra) / theirs * 100 - 100 for ours, theirs in zip(weights, answer["weights"], strict=True)]
    error = max(errors, key=abs)
    faults: list[tuple[str, str]] = []
    if abs(error) > _LIMIT:
        faults.append(("weights", f"weights {error:+.1f} %: {max(weights) / 2**30:.2f} GiB, vLLM {_gib(answer)}"))
    difference = _cache_difference(layouts, question, answer, model.context)
    if difference is not None:
        faults.append(("cache", difference))
    return Row(
        question.config.id,
        question.shape,
        weights_error=error,
        cache_exact=difference is None,
        fault="; ".join(text for _, text in faults) or None,
        kind=faults[0][0] if faults else "",
    )


def _gib(answer: Answer) -> str:
    return f"{max(answer['weights']) / 2**30:.2f}"


def _cache_difference(layouts: list[KvLayout], question: Question, answer: Answer, context: int) -> str | None:
    case = case_of(question, answer)
    assert case is not None
    for stage, ours in enumerate(layouts):
        theirs = Recorded(case).pool(stage)
        for length in (*_LENGTHS, context):
            wanted = min(length, context)
            counted, said = ours.blocks(wanted, _IN_FLIGHT), theirs.blocks(wanted, _IN_FLIGHT)
            if (ours.block_bytes, counted) != (theirs.block_bytes, said):
                off = counted * ours.block_bytes / (said * theirs.block_bytes) * 100 - 100
                return (
                    f"cache {off:+.1f} % at {wanted} tokens: {counted} blocks of {ours.block_bytes} bytes, "
                    f"vLLM {said} of {theirs.block_bytes}"
                )
    return None


def excuse(row: Row) -> str | None:
    """Why a fault is known and stays."""
    for entry in _exceptions():
        said = {"models": row.name, "shapes": row.shape, "capabilities": row.capability}
        if row.kind == entry["what"] and all(fnmatch(value, entry.get(key, "*")) for key, value in said.items()):
            return str(entry["because"])
    return None


@cache
def _exceptions() -> list[dict[str, Any]]:
    return yaml.safe_load(EXCEPTIONS.read_text(encoding="utf-8"))
