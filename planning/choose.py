"""Ranks accelerators and shapes for one model, with their cost per hour and, where a figure is known, per token."""

from dataclasses import asdict, dataclass, replace
from datetime import date
from math import log2
from typing import Any

from catalog import ACCELERATORS, Accelerator, Basis, CapacityKind, MachineType, Price, PriceKind, price
from catalog.model import Model
from catalog.speed import Measurement, measurement, speed
from config.models import Objective
from planning.parallelism import choose_shape
from planning.shape import GpuNode, Rejected, ShapePlan, ShapeRefused, ShapeRequest
from planning.weights import GIB

_DOUBLING_KEEPS = 0.8
"""One TP 2 gave 0.85 of two TP 1 on H200 with 1.07 times the cache: what is left of a GPU's speed at each doubling."""
_INPUT_PRICE_RATIO = 4.0
"""An input token costs a quarter of an output token (GKE Inference Quickstart's default split)."""


@dataclass(frozen=True)
class HourlyPrice:
    """US dollars per hour of one replica as its share of its nodes, at one price list."""

    usd: float
    list: str
    as_of: date
    source: str
    uncertain: bool


@dataclass(frozen=True)
class TokenPrice:
    """US dollars per million tokens of one saturated replica: an upper end of what a service achieves."""

    output_usd: float
    input_usd: float
    served_by: str
    basis: Basis
    source: str
    as_of: date


@dataclass(frozen=True)
class Choice:
    """One accelerator, machine type and shape. `best`: the planner's own choice on that accelerator."""

    best: bool
    plan: ShapePlan
    hourly: HourlyPrice | None
    tokens: TokenPrice | None
    read_ms: float | None
    """Milliseconds in which every GPU reads its weights once: no token of one request is faster."""
    bound: float | None
    """Output tokens per second that memory bandwidth allows a replica with a full cache; for comparing, no promise."""

    def as_json(self, rank: int) -> dict[str, Any]:
        plan = self.plan
        return {
            "rank": rank,
            "best": self.best,
            "accelerator": plan.accelerator,
            "machine_type": plan.machine_type,
            "pattern": plan.pattern,
            "tensor_parallel": plan.tensor_parallel,
            "pipeline_parallel": plan.pipeline_parallel,
            "expert_parallel": plan.expert_parallel,
            "replicas": plan.replicas,
            "nodes": plan.nodes,
            "gpus": plan.gpus,
            "max_model_len": plan.settings.max_model_len,
            "concurrency": round(plan.concurrency, 2),
            "weights_gib": round(plan.memory.weights_gib, 3),
            "overhead_gib": round(plan.memory.overhead_gib, 3),
            "kv_cache_gib": round(plan.memory.kv_cache_gib, 3),
            "kv_cache_tokens": plan.memory.kv_cache_tokens,
            "basis": plan.memory.basis,
            "basis_reason": plan.memory.basis_reason,
            "usd_per_hour": None if self.hourly is None else round(self.hourly.usd * plan.replicas, 4),
            "price": None if self.hourly is None else asdict(self.hourly),
            "usd_per_million_tokens": None if self.tokens is None else asdict(self.tokens),
            "weights_read_ms": None if self.read_ms is None else round(self.read_ms, 2),
            "bandwidth_bound_tokens_per_second": None if self.bound is None else round(self.bound),
            "reasons": plan.reasons,
            "rejected": [rejected.model_dump() for rejected in plan.rejected],
            "warnings": plan.warnings,
        }


@dataclass(frozen=True)
class Ranking:
    """`choices`, best first; `refused` says of every accelerator without one what is missing."""

    model: str
    objective: Objective
    region: str
    choices: tuple[Choice, ...]
    refused: tuple[Rejected, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "objective": self.objective,
            "region": self.region,
            "fits": bool(self.choices),
            "choices": [choice.as_json(rank) for rank, choice in enumerate(self.choices, start=1)],
            "refused": [rejected.model_dump() for rejected in self.refused],
        }


def rank(
    model: Model,
    request: ShapeRequest,
    region: str,
    capacity: CapacityKind | None = None,
    accelerator: str | None = None,
) -> Ranking:
    """Every accelerator (or the named one) on which the model fits.

    For throughput the cheapest per token that memory bandwidth allows comes first, for latency the one that reads its
    weights fastest. The other shapes of an accelerator follow after the planner's choices. Raises KeyError.
    """
    names = list(ACCELERATORS) if accelerator is None else [accelerator]
    choices: list[Choice] = []
    refused: list[Rejected] = []
    for name in names:
        found, why = _on(model, ACCELERATORS[name], request, region, capacity)
        choices += found
        if not found:
            refused.append(Rejected(shape=name, why=why))
    return Ranking(
        model.id, request.objective, region, tuple(sorted(choices, key=_order(request.objective))), tuple(refused)
    )


def _on(
    model: Model, accelerator: Accelerator, request: ShapeRequest, region: str, capacity: CapacityKind | None
) -> tuple[list[Choice], str]:
    """The planner's choice on the accelerator, the other shapes of that machine that fit, or why there is none."""
    best: Choice | None = None
    refusal = ""
    for machine in accelerator.machine_types:
        listed = _listed(machine, region, capacity)
        try:
            plan = choose_shape(model, accelerator, machine, request, None if listed is None else listed[1].usd)
        except ShapeRefused as refused:
            refusal = refused.message
            continue
        choice = _choice(model, accelerator, machine, plan, listed, best=True)
        if best is None or _order(request.objective)(choice) < _order(request.objective)(best):
            best = choice
    if best is None:
        return [], refusal
    machine = accelerator.machine_type(best.plan.machine_type)
    return [best, *_others(model, accelerator, machine, request, best, _listed(machine, region, capacity))], ""


def _others(
    model: Model,
    accelerator: Accelerator,
    machine: MachineType,
    request: ShapeRequest,
    best: Choice,
    listed: tuple[str, Price] | None,
) -> list[Choice]:
    """The shapes inside one node that the planner passed over although they fit."""
    if request.fixes_shape:
        return []
    others: list[Choice] = []
    usd = None if listed is None else listed[1].usd
    for tensor in range(1, GpuNode.of(accelerator, machine).gpus + 1):
        if machine.gpus % tensor or (tensor, 1) == (best.plan.tensor_parallel, best.plan.pipeline_parallel):
            continue
        fixed = replace(request, tensor_parallel=tensor, pipeline_parallel=1)
        try:
            plan = choose_shape(model, accelerator, machine, fixed, usd)
        except ShapeRefused:
            continue
        others.append(_choice(model, accelerator, machine, plan, listed, best=False))
    return others


def _choice(
    model: Model,
    accelerator: Accelerator,
    machine: MachineType,
    plan: ShapePlan,
    listed: tuple[str, Price] | None,
    *,
    best: bool,
) -> Choice:
    hourly: HourlyPrice | None = None
    if listed is not None and plan.usd_per_hour is not None:
        name, entry = listed
        hourly = HourlyPrice(round(plan.usd_per_hour, 6), name, entry.as_of, entry.source, entry.uncertain)
    found = measurement(model.id, accelerator.name, plan.gpus) if plan.pipeline_parallel == 1 else None
    whole = speed().memory_bandwidth.gbytes_per_second.get(accelerator.name)
    bandwidth = None if whole is None else whole * machine.gpu_fraction
    active = plan.memory.weights_gib * _active_share(model) * GIB * plan.pipeline_parallel
    return Choice(
        best=best,
        plan=plan,
        hourly=hourly,
        tokens=None if hourly is None or found is None else _token_price(hourly, found),
        read_ms=None if bandwidth is None else active / (bandwidth * 1e9) * 1e3,
        bound=None if bandwidth is None else _bandwidth_bound(plan, bandwidth),
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


def _listed(machine: MachineType, region: str, capacity: CapacityKind | None) -> tuple[str, Price] | None:
    """The price list asked for, or else the list price."""
    kind = capacity or PriceKind.ON_DEMAND
    found = price(machine.name, region, kind)
    return None if found is None else ("list" if capacity is None else capacity.value, found)


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


def _order(objective: Objective) -> Any:
    """Planner's choices first; within them what the objective values, then the price, then the name."""
    unknown = float("inf")

    def key(choice: Choice) -> tuple[bool, float, float, int, int, str]:
        plan = choice.plan
        usd = unknown if choice.hourly is None else choice.hourly.usd
        value = unknown if not choice.bound else usd / choice.bound
        if objective is Objective.LATENCY:
            value = unknown if choice.read_ms is None else choice.read_ms
        machine = ACCELERATORS[plan.accelerator].machine_type(plan.machine_type)
        return (not choice.best, value, usd, plan.gpus, machine.gpus, plan.machine_type)

    return key
