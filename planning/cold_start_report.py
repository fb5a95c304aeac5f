"""What a start of each model takes and costs, by every place that its weights could come from; for people."""

from collections.abc import Iterator, Sequence

from catalog.cold_start import WeightSource, cold_start
from planning.load_time import LoadTime
from planning.plan import ModelServerPlan, WeightsPlan
from planning.table import Table

_PARTS = ("weights", "load", "engine", "compile", "in all")


def cold_start_table(models: Sequence[ModelServerPlan]) -> Table:
    """A line for each start; a new node and its image come before the first one."""
    return Table(
        ("model", "weights from", "start", "node", "image", *_PARTS, "USD", "USD/month", "note"),
        tuple(row for model in models for row in rows(model.name, model.weights)),
    )


def rows(name: str, weights: WeightsPlan) -> Iterator[tuple[str, ...]]:
    """The two starts of each place: on a node that is new, and on one that has run the server before."""
    facts = cold_start()
    for option in weights.options:
        note = "chosen" if option.chosen else f"not possible: {option.refused}" if option.refused else ""
        if option.source is WeightSource.BUCKET and not option.refused:
            note = ", ".join(filter(None, (note, f"filled once in {_seconds(_download(weights))} s")))
        for start, load, usd in (("first", option.first, option.first_usd), ("again", option.again, option.again_usd)):
            new = start == "first"
            yield (
                name,
                option.source.value,
                start,
                _seconds(facts.node.seconds if new else 0),
                _seconds(facts.image.seconds if new else 0),
                *map(_seconds, parts(load)),
                _usd(usd),
                _usd(option.usd_month),
                note,
            )


def parts(load: LoadTime) -> tuple[float, ...]:
    """The seconds of each column of the table."""
    return load.fetch, load.read, load.start, load.compile + load.capture, load.total


def starts_in(weights: WeightsPlan) -> str:
    """`512 s, then 210 s`, where a later start is sooner."""
    (chosen,) = (option for option in weights.options if option.chosen)
    first, again = f"{chosen.first.total:.0f} s", f"{chosen.again.total:.0f} s"
    return first if first == again else f"{first}, then {again}"


def _download(weights: WeightsPlan) -> float:
    """Seconds of one download from the hub."""
    return next(option.first.fetch for option in weights.options if option.source is WeightSource.HUB)


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.2f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f}"
