"""Compares estimates of latency and throughput with vLLM on real GPUs: `python -m bench.performance`.

Fails if an estimate is further off than the catalogue says of the worst. A model that the library does not cover is
counted as such, and never estimated.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from catalog.hugging_face import model_from_config
from catalog.model import Model
from catalog.performance import EstimateError, performance
from catalog.source import read_yaml
from planning.performance.library import LibrarySteps
from planning.performance.load import Replica, Traffic, operation
from planning.performance.steps import Deployment, Step, Steps, Unknown

_FOLDER = Path(__file__).parent / "measured"
_STEP_TOKENS = 8192
"""The most tokens of one step of vLLM on this card."""
_ALONE, _SATURATED = Traffic(1024, 128), Traffic(1024, 256)


@dataclass(frozen=True)
class Comparison:
    """One figure, estimated and measured. `optimism` above 1: the estimate was too good by that factor."""

    what: str
    figure: str
    measured: float
    estimated: float | None
    why: str = ""

    @property
    def optimism(self) -> float | None:
        if self.estimated is None:
            return None
        faster = self.measured / self.estimated
        return 1 / faster if self.figure == "requests/s" else faster

    @property
    def off(self) -> float | None:
        """The share by which the estimate is more than what was measured; None: there is no estimate."""
        return None if self.estimated is None else self.estimated / self.measured - 1


def comparisons() -> list[Comparison]:
    """Every measured figure beside its estimate."""
    rows: Any = read_yaml(_FOLDER / "latency.yaml")
    system = performance().systems[rows["accelerator"]]
    found: list[Comparison] = []
    for row in (*rows["alone"], *rows["saturated"]):
        config = json.loads((_FOLDER / f"{row['model']}.json").read_text(encoding="utf-8"))
        model = model_from_config(config, row["model"])
        deployment = Deployment(row.get("tensorParallel", 1))
        name = f"{row['model']} TP {deployment.tensor_parallel}"
        figures = _measured(row)
        try:
            estimates = _estimated(row, model, LibrarySteps(model, system, deployment))
        except Unknown as unknown:
            found += [Comparison(name, figure, value, None, str(unknown)) for figure, value in figures.items()]
        else:
            found += [Comparison(name, figure, value, estimates[figure]) for figure, value in figures.items()]
    return found


def _measured(row: dict[str, Any]) -> dict[str, float]:
    if "requestsPerSecond" in row:
        return {"requests/s": row["requestsPerSecond"]}
    return {"first token, ms": row["firstTokenMs"], "ms a token": row["perTokenMs"]}


def _estimated(row: dict[str, Any], model: Model, steps: Steps) -> dict[str, float]:
    if "requestsPerSecond" in row:
        return {"requests/s": requests_per_second(steps, row["requests"], row["running"])}
    constants = performance().first_token
    constant = constants.experts if model.is_moe else constants.dense
    alone = operation(Replica(steps, _STEP_TOKENS, constant), _ALONE, 1)
    if alone is None:
        raise Unknown("a step has no room for one prompt")
    return {
        "first token, ms": alone.first_token_ms,
        "ms a token": steps.milliseconds(Step(0, 1, _ALONE.input_tokens, _ALONE.output_tokens)),
    }


def requests_per_second(steps: Steps, requests: int, running: int) -> float:
    """The run as it was measured, step by step: all requests at once, as many as the cache holds running."""
    inputs, outputs = _SATURATED.input_tokens, _SATURATED.output_tokens
    to_compute: list[int] = []  # prompt tokens left, of each request that was let in and gives no token yet
    to_write: list[int] = []  # output tokens left, of each that does
    waiting, taken = requests, 0.0
    while waiting or to_compute or to_write:
        while waiting and len(to_compute) + len(to_write) < running:
            to_compute.append(inputs)
            waiting -= 1
        decoding, room, prompt = len(to_write), _STEP_TOKENS - len(to_write), 0
        finished = 0
        for index, left in enumerate(to_compute):
            part = min(left, room - prompt)
            prompt += part
            to_compute[index] = left - part
            finished += part == left
        taken += steps.milliseconds(Step(prompt, decoding, inputs, outputs))
        to_write = [left - 1 for left in to_write if left > 1]
        to_compute = to_compute[finished:]
        to_write += [outputs - 1] * finished
    return requests / taken * 1e3


def worst(found: list[Comparison]) -> dict[str, float]:
    """The greatest optimism of each figure."""
    known = [(each.figure, each.optimism) for each in found if each.optimism is not None]
    return {figure: max(value for name, value in known if name == figure) for figure, _ in known}


def allowed(error: EstimateError) -> dict[str, float]:
    return {"first token, ms": error.first_token, "ms a token": error.per_token, "requests/s": error.throughput}


@dataclass(frozen=True)
class Summary:
    """The error of one figure: the rows with an estimate, and the share by which these differ."""

    known: int
    median: float
    """Whatever the sign."""
    worst: float


def summary(found: list[Comparison]) -> dict[str, Summary]:
    """The errors of each figure."""
    off: dict[str, list[float]] = {}
    for each in found:
        if each.off is not None:
            off.setdefault(each.figure, []).append(each.off)
    return {name: Summary(len(all_), median(map(abs, all_)), max(all_, key=abs)) for name, all_ in off.items()}


def main() -> int:
    found = comparisons()
    for each in found:
        known = "unknown" if each.off is None else f"{each.estimated:8.2f} {100 * each.off:+6.1f} %"
        print(f"{each.what:24} {each.figure:16} measured {each.measured:8.2f}  estimated {known}")
    limits = allowed(performance().error)
    for figure, row in summary(found).items():
        print(f"{figure:16} {row.known} known, median {100 * row.median:.1f} %, worst {100 * row.worst:+.1f} %")
    print("reasons: " + "; ".join(sorted({each.why for each in found if each.why})))
    optimism = worst(found)
    beyond = [figure for figure, value in optimism.items() if value > limits[figure]]
    print("too good at most: " + ", ".join(f"{figure} {value:.3f} x" for figure, value in optimism.items()))
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
