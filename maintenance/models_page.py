"""Makes docs/models.md: what vLLM's own code said of the catalogue's models, with the plan's formulas beside it."""

from collections.abc import Iterator
from functools import cache

from catalog import PINS
from catalog.model import MODELS
from catalog.recorded import Record, record_of
from oracle.card import CAPABILITIES
from oracle.compare import Row, Table, compare, excuse
from oracle.published import unknown
from oracle.records import answers_of

_HEAD = (
    "compute capability",
    "models",
    "shapes",
    "by record alone",
    "refused by both",
    "within 0.1 %",
    "1 %",
    "5 %",
    "worse",
    "blocks exact",
    "faults",
)


def page() -> str:
    """The whole page."""
    lines = [
        "# Models beside vLLM's own code",
        "",
        f"Made by `make record` from `catalog/recorded/{PINS.vllm}`; do not edit. vLLM's own code built each model",
        "of the catalogue, without a GPU, as on a card of that compute capability, and said its weights, the blocks of",
        "its cache, and what it refuses. A plan reads that. What the plan's formulas say without it stands here beside",
        "it, for they plan every other model and shape: percentages are of weights on the fullest GPU, blocks those of",
        "one request. Which kernels the release picks on other cards than Hopper (9.0), and so what they pad, stands",
        "in its entry; a plan without a record is extrapolated all the same.",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{' --- |' * len(_HEAD)}",
        *(_summary(table) for table in tables()),
        "",
        "## Where the formulas are known to differ",
        "",
        *_exceptions(),
        "",
        "## Shapes by model",
        "",
        "Tensor parallel, two stages, experts dealt out whole, an fp8 cache, and the model's own draft layers, as far",
        "as a card of that capability could hold the weights.",
        "",
        f"| model | config.json | {' | '.join(CAPABILITIES)} |",
        f"| --- | --- |{' --- |' * len(CAPABILITIES)}",
        *_by_model(),
    ]
    return "\n".join(lines) + "\n"


@cache
def tables() -> tuple[Table, ...]:
    """The formulas beside the records, of each capability that was recorded."""
    found: list[Table] = []
    for capability in CAPABILITIES:
        answers = [pair for record in records() for pair in answers_of(record, capability)]
        if answers:
            found.append(compare(answers, capability, formulas=True))
    return tuple(found)


@cache
def records() -> tuple[Record, ...]:
    """The records of the catalogue's models."""
    return tuple(record for model in MODELS.values() if (record := record_of(model, PINS.vllm)) is not None)


def _summary(table: Table) -> str:
    exact, of = table.exact_caches
    models = sum(table.capability in record.capabilities for record in records())
    shapes = len(table.rows) + table.uncounted
    numbers = [table.capability, models, shapes, table.uncounted, table.refused_alike, *table.steps, f"{exact} of {of}"]
    return f"| {' | '.join(map(str, numbers))} | {len(table.faults)} |"


def _exceptions() -> Iterator[str]:
    excused = [(table.capability, row) for table in tables() for row in table.excused]
    if not excused:
        yield "Nowhere."
        return
    yield "| cause | shapes | models |"
    yield "| --- | --- | --- |"
    causes: dict[str, list[Row]] = {}
    for _, row in excused:
        causes.setdefault(str(excuse(row)), []).append(row)
    for cause, rows in causes.items():
        yield f"| {cause} | {len(rows)} | {', '.join(sorted({row.name for row in rows}))} |"


def _by_model() -> Iterator[str]:
    known = {record.model: record for record in records()}
    for name in MODELS:
        record = known.get(name)
        if record is None:
            yield f"| {name} | {unknown(name) or 'not asked yet'} |{' |' * len(CAPABILITIES)}"
            continue
        counts = [str(len(record.capabilities.get(capability, ())) or "") for capability in CAPABILITIES]
        yield f"| {name} | {record.config} | {' | '.join(counts)} |"
