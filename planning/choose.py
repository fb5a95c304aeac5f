"""Ranks accelerators and shapes for one model, with their cost per hour and, where a figure is known, per token."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from math import log2
from typing import Annotated

from pydantic import computed_field

from catalog import ACCELERATORS, Accelerator, Basis
from catalog.model import Model
from catalog.speed import Measurement, measurement, speed
from config.models import Objective
from planning.decision import Decision, rounded
from planning.parallelism import choose_shape
from planning.prices import PriceList
from planning.shape import GpuNode, Rejected, ShapePlan, ShapeQuestion, ShapeRefused, ShapeRequest
from planning.weights import GIB

_DOUBLING_KEEPS = 0.8
"""One TP 2 gave 0.85 of two TP 1 on H200 with 1.07 times the cache: what is left of a GPU's speed at each doubling."""
_INPUT_PRICE_RATIO = 4.0
"""An input token costs a quarter of an output token (GKE Inference Quickstart's default split)."""


class HourlyPrice(Decision):
    """US dollars per hour of one replica as its share of its nodes, at one price list."""

    usd: float
    list: str
    as_of: date
    source: str
    uncertain: bool


class TokenPrice(Decision):
    """US dollars per million tokens of one saturated replica: an upper end of what a service achieves."""

    output_usd: float
    input_usd: float
    served_by: str
    basis: Basis
    source: str
    as_of: date


class Choice(Decision):
    """One accelerator, machine type and shape."""

    best: bool
    """The planner's own choice on that accelerator."""
    shape: ShapePlan
    price: HourlyPrice | None
    usd_per_million_tokens: TokenPrice | None
    weights_read_ms: Annotated[float, rounded(2)] | None
    """Milliseconds in which every GPU reads its weights once: no token of one request is faster."""
    bandwidth_bound_tokens_per_second: Annotated[float, rounded(0)] | None
    """Output tokens that memory bandwidth allows a replica with a full cache; for comparing, no promise."""

    @computed_field
    @property
    def usd_per_hour(self) -> Annotated[float, rounded(4)] | None:
        """The price in US dollars per hour of all replicas."""
        return None if self.price is None else self.price.usd * self.shape.replicas


class Ranking(Decision):
    """`choices`, best first; `refused` says of every accelerator without one what is missing."""

    model: str
    objective: Objective
    region: str
    choices: tuple[Choice, ...]
    refused: tuple[Rejected, ...]

    @computed_field
    @property
    def fits(self) -> bool:
        return bool(self.choices)


def rank(model: Model, request: ShapeRequest, prices: PriceList, accelerator: str | None = None) -> Ranking:
    """Every accelerator (or the named one) on which the model fits.

    For throughput the cheapest per token that memory bandwidth allows comes first, for latency the one that reads its
    weights fastest. The other shapes of an accelerator follow after the planner's choices. Raises KeyError.
    """
    choices: list[Choice] = []
    refused: list[Rejected] = []
    for name in list(ACCELERATORS) if accelerator is None else [accelerator]:
        found, why = _on(ACCELERATORS[name], model, request, prices)
        choices += found
        if not found:
            refused.append(Rejected(shape=name, why=why))
    choices.sort(key=_order(request.objective))
    return Ranking(
        model=model.id,
        objective=request.objective,
        region=prices.region,
        choices=tuple(choices),
        refused=tuple(refused),
    )


def _on(accelerator: Accelerator, model: Model, request: ShapeRequest, prices: PriceList) -> tuple[list[Choice], str]:
    """The planner's choice on the accelerator, the other shapes of that machine that fit, or why there is none."""
    found: list[tuple[Choice, ShapeQuestion]] = []
    refusal = ""
    for machine in accelerator.machine_types:
        node = GpuNode.of(accelerator, machine)
        question = ShapeQuestion(model, node, request, prices.usd_of(machine.name))
        try:
            found.append((_choice(question, choose_shape(question), prices, best=True), question))
        except ShapeRefused as refused:
            refusal = refused.message
    if not found:
        return [], refusal
    order = _order(request.objective)
    best, question = min(found, key=lambda each: order(each[0]))
    return [best, *_others(question, best.shape, prices)], ""


def _others(question: ShapeQuestion, best: ShapePlan, prices: PriceList) -> Iterator[Choice]:
    """The shapes inside one node that the planner passed over although they fit."""
    gpus = question.node.gpus
    for tensor in range(1, 1 if question.request.fixes_shape else gpus + 1):
        if gpus % tensor or (tensor, 1) == (best.tensor_parallel, best.pipeline_parallel):
            continue
        fixed = question.asking(tensor_parallel=tensor, pipeline_parallel=1)
        with suppress(ShapeRefused):
            yield _choice(fixed, choose_shape(fixed), prices, best=False)


def _choice(question: ShapeQuestion, plan: ShapePlan, prices: PriceList, *, best: bool) -> Choice:
    model, node, entry = question.model, question.node, prices.of(plan.machine_type)
    hourly: HourlyPrice | None = None
    if entry is not None and plan.usd_per_hour is not None:
        hourly = HourlyPrice(
            usd=round(plan.usd_per_hour, 6),
            list=prices.name,
            as_of=entry.as_of,
            source=entry.source,
            uncertain=entry.uncertain,
        )
    found = measurement(model.id, node.accelerator, plan.gpus) if plan.pipeline_parallel == 1 else None
    whole = speed().memory_bandwidth.gbytes_per_second.get(node.accelerator)
    bandwidth = None if whole is None else whole * node.gpu_fraction
    active = plan.memory.weights_gib * _active_share(model) * GIB * plan.pipeline_parallel
    return Choice(
        best=best,
        shape=plan,
        price=hourly,
        usd_per_million_tokens=None if hourly is None or found is None else _token_price(hourly, found),
        weights_read_ms=None if bandwidth is None else active / (bandwidth * 1e9) * 1e3,
        bandwidth_bound_tokens_per_second=None if bandwidth is None else _bandwidth_bound(plan, bandwidth),
    )


def _bandwidth_bound(plan: ShapePlan, gbytes_per_second: float) -> float:
    """Each step every GPU reads its weights and its part of the cache, and gives one token to each request."""
    memory, stages = plan.memory, plan.pipeline_parallel
    held = memory.kv_cache_gib * plan.concurrency / max(plan.concurrency, _held_at_most(plan))
    step = (memory.weights_gib + held / stages) * GIB / (gbytes_per_second * 1e9)
    return plan.concurrency / stages / step * _DOUBLING_KEEPS ** log2(plan.tensor_parallel)


def _held_at_most(plan: ShapePlan) -> float:
    """Requests that the cache would hold if `max_num_seqs` did not stop it."""
    return max(plan.concurrency, plan.memory.max_concurrency)


def _active_share(model: Model) -> float:
    """The share of the weights that one token of one request reads; of unknown experts, all."""
    if model.experts is None:
        return 1.0
    experts = model.experts
    layers = model.layers - experts.dense_layers
    routed = 3 * layers * experts.count * experts.intermediate_size * model.hidden_size
    idle = routed * (1 - experts.per_token / experts.count) * model.weight_format.bytes_per_element
    # At batch 1 nearly all weights of a mixture are its routed experts; what they leave is read in full.
    total = routed * model.weight_format.bytes_per_element + 2 * model.vocabulary * model.hidden_size * 2
    return max(0.02, 1 - idle / total)


def _token_price(hourly: HourlyPrice, found: Measurement) -> TokenPrice:
    per_second = hourly.usd / 3600
    output = per_second / (found.input_tokens_per_second / _INPUT_PRICE_RATIO + found.output_tokens_per_second) * 1e6
    return TokenPrice(
        output_usd=round(output, 3),
        input_usd=round(output / _INPUT_PRICE_RATIO, 3),
        served_by=found.served_by,
        basis=found.basis,
        source=found.source,
        as_of=found.as_of,
    )


def _order(objective: Objective) -> Callable[[Choice], tuple[bool, float, float, int, int, str]]:
    """Planner's choices first; within them what the objective values, then the price, then the name."""
    unknown = float("inf")

    def key(choice: Choice) -> tuple[bool, float, float, int, int, str]:
        plan, bound = choice.shape, choice.bandwidth_bound_tokens_per_second
        usd = unknown if choice.price is None else choice.price.usd
        value = usd / bound if bound else unknown
        if objective is Objective.LATENCY:
            value = unknown if choice.weights_read_ms is None else choice.weights_read_ms
        machine = ACCELERATORS[plan.accelerator].machine_type(plan.machine_type)
        return (not choice.best, value, usd, plan.gpus, machine.gpus, plan.machine_type)

    return key
