"""Chooses the shape and the replicas that meet a service objective at the lowest price, among those that start.

The memory model decides what starts, the library what is fast enough. Nothing else is asked: a shape of which the
library knows nothing is not chosen, and the answer says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor

from catalog import PINS
from catalog.accelerator import Accelerator, MachineType
from catalog.engine import Engine
from catalog.model import Model
from catalog.performance import System, performance
from config.objective import ServiceObjective
from planning.candidates import evaluate, objection_to, refuse_impossible, shapes_of
from planning.engine import engine_of
from planning.parallelism import hourly, shape_plan
from planning.performance.estimate import Capability, Limits, at_worst, capability, shortfall, surely_served
from planning.performance.expected import ExpectedService
from planning.performance.kept import KeptAnswers
from planning.performance.library import LibrarySteps
from planning.performance.load import Operation
from planning.performance.steps import Deployment, Unknown
from planning.shape import Candidate, GpuNode, Rejected, ShapePlan, ShapeRefused, ShapeRequest

_NOT_MODELLED = "the tables have no figures for"


@dataclass(frozen=True)
class ServiceChoice:
    """A shape that meets the objective, and how it is expected to serve."""

    shape: ShapePlan
    expected: ExpectedService

    @property
    def order(self) -> tuple[float, int, float]:
        """The cheapest first; where no price is known the fewest GPUs; at one price the most head room."""
        gpus = self.shape.gpus * self.shape.replicas
        usd = self.shape.usd_per_hour
        return (float("inf") if usd is None else usd * self.shape.replicas, gpus, -self.expected.head_room)


@dataclass(frozen=True)
class _Option:
    candidate: Candidate
    able: Capability


def choose_service(
    model: Model,
    accelerator: Accelerator,
    machine: MachineType,
    request: ShapeRequest,
    objective: ServiceObjective,
    machine_hour_usd: float | None = None,
) -> ServiceChoice:
    """The cheapest shape on that machine type that starts and meets the objective; what the request fixes stays fixed.

    Raises ShapeRefused, with the nearest that is possible, and LibraryMissing.
    """
    node, engine = GpuNode.of(accelerator, machine), engine_of(request.vllm)
    where = f"{model.id} on {node.accelerator} ({node.machine_type})"
    request = _with_objective(model, request, objective)
    refuse_impossible(model, request)
    system = _system(model, accelerator, machine, request, where)
    answers = KeptAnswers(model, system, lambda deployment: LibrarySteps(model, system, deployment))
    try:
        options, rejected = _options(model, node, request, objective, engine, answers)
    finally:
        answers.save()
    choices: list[ServiceChoice] = []
    for option in options:
        if not option.able.meeting:
            rejected.append(Rejected(shape=_name(option.candidate), why=_too_slow(option.able.nearest)))
            continue
        found = _choice(model, node, request, objective, option, machine_hour_usd)
        if isinstance(found, str):
            rejected.append(Rejected(shape=_name(option.candidate), why=found))
        else:
            choices.append(found)
    if not choices:
        raise _refusal(where, objective, options, tuple(rejected))
    best = min(choices, key=lambda choice: choice.order)
    others = (Rejected(shape=_plan_name(each.shape), why=_dearer(each, best)) for each in choices if each is not best)
    reasons = (*best.shape.reasons, *_grounds(best.expected, request.vllm))
    shape = best.shape.model_copy(update={"reasons": reasons, "rejected": (*rejected, *others)})
    return replace(best, shape=shape)


def _with_objective(model: Model, request: ShapeRequest, objective: ServiceObjective) -> ShapeRequest:
    if objective.tokens > model.context:
        raise ShapeRefused(
            f"a request of {objective.tokens} tokens is longer than the {model.context} that {model.id} has",
            {"model_context": model.context},
        )
    return replace(request, min_context=max(request.min_context or 0, objective.tokens))


def _system(model: Model, accelerator: Accelerator, machine: MachineType, request: ShapeRequest, where: str) -> System:
    """Raises ShapeRefused where the library's tables cannot describe the server."""
    system = performance().systems.get(accelerator.name)
    name = f"{performance().library} {PINS.aiconfigurator_core}"
    if system is None:
        raise ShapeRefused(f"{where}: its speed is unknown: {name} has no tables of vLLM for {accelerator.title}", {})
    unknown = {
        "a part of a GPU": machine.gpu_fraction != 1,
        "LoRA adapters": request.adapter_slots > 0,
        "speculative decoding": request.draft_tokens > 0,
        "an eager server (enforceEager)": request.enforce_eager,
    }
    for what, asked in unknown.items():
        if asked:
            raise ShapeRefused(f"{where}: its speed is unknown: {_NOT_MODELLED} {what}", {})
    return system


def _options(
    model: Model,
    node: GpuNode,
    request: ShapeRequest,
    objective: ServiceObjective,
    engine: Engine,
    answers: KeptAnswers,
) -> tuple[list[_Option], list[Rejected]]:
    """Every shape that starts on the fewest nodes that hold the model, with what it is able to do."""
    options: list[_Option] = []
    rejected: list[Rejected] = []
    fewest: int | None = None
    for candidate in _candidates(model, node, request, engine):
        if fewest is not None and candidate.nodes > fewest:
            break
        objection = objection_to(candidate, model, replace(request, replicas=None))
        if objection is not None:
            rejected.append(Rejected(shape=_name(candidate), why=objection))
            continue
        fewest = candidate.nodes
        steps = answers.of(_deployment(candidate))
        limits = Limits(
            sequences=floor(_at_once(model, node, request, candidate, objective, engine)),
            step_tokens=candidate.settings.max_num_batched_tokens,
            stages=candidate.pipeline,
            has_experts=model.is_moe,
        )
        try:
            able = capability(steps, objective, limits)
        except Unknown as unknown:
            rejected.append(Rejected(shape=_name(candidate), why=f"unknown: {unknown}"))
            continue
        if able is None:
            rejected.append(
                Rejected(shape=_name(candidate), why="its cache or its steps have no room for one such request")
            )
            continue
        options.append(_Option(candidate, able))
    return options, rejected


def _candidates(model: Model, node: GpuNode, request: ShapeRequest, engine: Engine) -> Iterator[Candidate]:
    """Legal shapes, fewest GPUs first; experts whole and cut where either is legal."""
    for tensor, pipeline in shapes_of(model, node, request):
        plain = evaluate(model, node, request, tensor, pipeline, engine)
        yield plain
        if model.is_moe and tensor > 1 and request.expert_parallel is None and not plain.experts:
            whole = replace(request, expert_parallel=True)
            if (tensor, pipeline) in shapes_of(model, node, whole):
                yield evaluate(model, node, whole, tensor, pipeline, engine)


def _deployment(candidate: Candidate) -> Deployment:
    return Deployment(candidate.tensor, candidate.pipeline, candidate.experts, candidate.settings.kv_cache_dtype)


def _at_once(
    model: Model,
    node: GpuNode,
    request: ShapeRequest,
    candidate: Candidate,
    objective: ServiceObjective,
    engine: Engine,
) -> float:
    """Requests of the objective's length that the cache of one replica holds, at most `max_num_seqs`."""
    if request.min_context == objective.tokens:
        return candidate.concurrency
    shorter = replace(request, min_context=objective.tokens, expert_parallel=candidate.experts)
    return evaluate(model, node, shorter, candidate.tensor, candidate.pipeline, engine).concurrency


def _choice(
    model: Model,
    node: GpuNode,
    request: ShapeRequest,
    objective: ServiceObjective,
    option: _Option,
    machine_hour_usd: float | None,
) -> ServiceChoice | str:
    """The option with its replicas and its batch; or why it cannot be."""
    able, wanted = option.able, option.candidate
    served = surely_served(able.most)
    replicas = max(
        ceil(objective.requests_per_second / served), ceil(request.min_concurrency / max(1, floor(wanted.concurrency)))
    )
    if request.replicas is not None:
        if request.replicas < replicas:
            return f"takes {replicas} replicas, and replicas says {request.replicas}"
        replicas = request.replicas
    batch = request.max_num_seqs or able.most.sequences
    written = replace(request, max_num_seqs=batch, replicas=replicas, expert_parallel=wanted.experts or None)
    candidate = evaluate(model, node, written, wanted.tensor, wanted.pipeline, engine_of(request.vllm))
    objection = objection_to(candidate, model, replace(written, replicas=None))
    if objection is not None:
        return objection
    expected = _expected(
        model, node, objective, option, replicas, hourly(candidate.gpus, candidate.nodes, node, machine_hour_usd)
    )
    plan = shape_plan(
        model, node, written, candidate, _why(candidate, replicas, objective, expected), (), machine_hour_usd
    )
    return ServiceChoice(plan, expected)


def _expected(
    model: Model, node: GpuNode, objective: ServiceObjective, option: _Option, replicas: int, usd: float | None
) -> ExpectedService:
    able, system = option.able, performance().systems[node.accelerator]
    at_load = able.at(objective.requests_per_second / replicas)
    first, token = at_worst(at_load)
    served = able.most.requests_per_second * replicas
    tokens_per_hour = objective.requests_per_second * objective.output_tokens * 3600
    return ExpectedService(
        objective=objective,
        first_token_ms=round(at_load.first_token_ms, 1),
        first_token_ms_at_worst=round(first, 1),
        per_token_ms=round(at_load.per_token_ms, 2),
        per_token_ms_at_worst=round(token, 2),
        requests_per_second=round(served, 3),
        requests_per_second_at_worst=round(surely_served(able.most) * replicas, 3),
        head_room=round(surely_served(able.most) * replicas / objective.requests_per_second - 1, 3),
        sequences=at_load.sequences,
        usd_per_million_output_tokens=None if usd is None else round(usd * replicas / tokens_per_hour * 1e6, 3),
        estimated_by=f"{performance().library} {PINS.aiconfigurator_core}",
        tables_of_vllm=system.tables,
        error_is_of=_error_is_of(model, node, option.candidate, objective),
    )


def _error_is_of(model: Model, node: GpuNode, candidate: Candidate, objective: ServiceObjective) -> str:
    """What the errors were measured on, and in what this server differs from that."""
    on = performance().error.measured_on
    differs = {
        node.accelerator: node.accelerator != on.accelerator,
        f"weights in {model.weight_format.value}": model.weight_format.value != on.dtype,
        "a mixture of experts": model.is_moe,
        f"TP {candidate.tensor}": candidate.tensor > on.tensor_parallel,
        f"PP {candidate.pipeline}": candidate.pipeline > 1,
        f"{objective.input_tokens} input tokens": objective.input_tokens != on.input_tokens,
        "a prefix in the cache": objective.prefix_tokens > 0,
    }
    own = [what for what, is_other in differs.items() if is_other]
    measured = (
        f"dense models in {on.dtype} on {on.accelerator} up to TP {on.tensor_parallel}, {on.input_tokens} tokens in"
    )
    return measured + (f"; not measured: {', '.join(own)}" if own else "")


def _why(candidate: Candidate, replicas: int, objective: ServiceObjective, expected: ExpectedService) -> str:
    return (
        f"{replicas} x {_name(candidate)}: the lowest price that meets the objective: {expected.first_token_ms:.0f} ms "
        f"to the first token (at most {objective.time_to_first_token:g}), {expected.per_token_ms:.1f} ms a token (at "
        f"most {objective.time_per_output_token:g}), {expected.requests_per_second_at_worst:.1f} requests a second (at "
        f"least {objective.requests_per_second:g})"
    )


def _grounds(expected: ExpectedService, vllm: str) -> Iterator[str]:
    """On what the promise stands."""
    error = performance().error
    server = "" if vllm == expected.tables_of_vllm else f", and the server is vLLM {vllm}"
    yield (
        f"estimated, not measured: by {expected.estimated_by} from kernels of vLLM {expected.tables_of_vllm}{server}; "
        "means of a steady load"
    )
    yield (
        f"the estimates were too good by up to {100 * (error.first_token - 1):.0f} % (first token), "
        f"{100 * (error.per_token - 1):.0f} % (a token) and {100 * (error.throughput - 1):.0f} % (requests), which is "
        f"counted in; seen on {expected.error_is_of}"
    )


def _too_slow(nearest: Operation) -> str:
    first, token = at_worst(nearest)
    return (
        f"with {nearest.sequences} request(s) at once {nearest.first_token_ms:.0f} ms to the first token and "
        f"{nearest.per_token_ms:.1f} ms a token, {first:.0f} and {token:.1f} with the error that was measured"
    )


def _dearer(choice: ServiceChoice, best: ServiceChoice) -> str:
    if choice.shape.usd_per_hour is None or best.shape.usd_per_hour is None:
        return f"takes {choice.shape.gpus * choice.shape.replicas} GPUs"
    return f"takes {choice.shape.replicas} replicas for {choice.shape.usd_per_hour * choice.shape.replicas:.2f} USD/h"


def _refusal(
    where: str, objective: ServiceObjective, options: list[_Option], rejected: tuple[Rejected, ...]
) -> ShapeRefused:
    asked = (
        f"{objective.time_to_first_token:g} ms to the first token and {objective.time_per_output_token:g} ms a token "
        f"for {objective.input_tokens} tokens in and {objective.output_tokens} out"
    )
    reasons = _reasons(rejected)
    if not options:
        return ShapeRefused(f"{where}: no shape with a known speed starts: {reasons}", {}, rejected)
    nearest = min(options, key=lambda option: shortfall(option.able.nearest, objective))
    if nearest.able.meeting:
        return ShapeRefused(f"{where} does not meet {asked} as it is asked for: {reasons}", {}, rejected)
    found = nearest.able.nearest
    first, token = at_worst(found)
    return ShapeRefused(
        f"{where} does not meet {asked}: the nearest is {_name(nearest.candidate)} {_too_slow(found)}; "
        f"timeToFirstToken {ceil(first)} and timePerOutputToken {ceil(token * 10) / 10:g} are possible",
        {"first_token_ms": round(first, 1), "per_token_ms": round(token, 2)},
        rejected,
    )


def _reasons(rejected: tuple[Rejected, ...]) -> str:
    """Each reason once, after the shapes that it holds for."""
    shapes: dict[str, list[str]] = {}
    for each in rejected:
        shapes.setdefault(each.why, []).append(each.shape)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in shapes.items())


def _name(candidate: Candidate) -> str:
    return candidate.name + (" with expert parallel" if candidate.experts else "")


def _plan_name(plan: ShapePlan) -> str:
    pipeline = f" x PP {plan.pipeline_parallel}" if plan.pipeline_parallel > 1 else ""
    return f"TP {plan.tensor_parallel}{pipeline}" + (" with expert parallel" if plan.expert_parallel else "")
