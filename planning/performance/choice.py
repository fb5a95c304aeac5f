"""Chooses the shape and the replicas that meet a service objective at the lowest price, among those that start.

The memory model decides what starts, the library what is fast enough. Nothing else is asked: a shape of which the
library knows nothing is not chosen, and the answer says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Annotated

from pydantic import computed_field

from catalog import ACCELERATORS, PINS
from catalog.performance import System, performance
from config.objective import ServiceObjective
from planning.candidates import evaluate, objection_to, refuse_impossible, shapes_of
from planning.decision import Decision, rounded
from planning.parallelism import shape_plan
from planning.performance.estimate import Capability, Limits, at_worst, capability, shortfall, surely_served
from planning.performance.expected import ExpectedService
from planning.performance.kept import KeptAnswers
from planning.performance.library import LibrarySteps
from planning.performance.load import Operation
from planning.performance.steps import Deployment, Unknown
from planning.shape import Candidate, Rejected, ShapePlan, ShapeQuestion, ShapeRefused

_NOT_MODELLED = "the tables have no figures for"


class ServiceChoice(Decision):
    """A shape that meets the objective, and how it is expected to serve."""

    shape: ShapePlan
    expected: ExpectedService

    @computed_field
    @property
    def usd_per_hour(self) -> Annotated[float, rounded(4)] | None:
        """The price in US dollars per hour of all replicas."""
        return None if self.shape.usd_per_hour is None else self.shape.usd_per_hour * self.shape.replicas

    @property
    def order(self) -> tuple[float, int, float]:
        """The cheapest first; where no price is known the fewest GPUs; at one price the most head room."""
        gpus, usd = self.shape.gpus * self.shape.replicas, self.usd_per_hour
        return (float("inf") if usd is None else usd, gpus, -self.expected.head_room)


@dataclass(frozen=True)
class _Option:
    candidate: Candidate
    able: Capability


def choose_service(question: ShapeQuestion, objective: ServiceObjective) -> ServiceChoice:
    """The cheapest shape on that machine type that starts and meets the objective; what the request fixes stays fixed.

    Raises ShapeRefused, with the nearest that is possible, and LibraryMissing.
    """
    model = question.model
    question = _for_requests_of(objective, question)
    refuse_impossible(question)
    system = _system(question)
    answers = KeptAnswers(model, system, lambda deployment: LibrarySteps(model, system, deployment))
    try:
        options, rejected = _options(question, objective, answers)
    finally:
        answers.save()
    choices: list[ServiceChoice] = []
    for option in options:
        if not option.able.meeting:
            rejected.append(Rejected(shape=_name(option.candidate), why=_too_slow(option.able.nearest)))
            continue
        found = _choice(question, objective, option)
        if isinstance(found, str):
            rejected.append(Rejected(shape=_name(option.candidate), why=found))
        else:
            choices.append(found)
    if not choices:
        raise _refusal(question.where, objective, options, tuple(rejected))
    best = min(choices, key=lambda choice: choice.order)
    others = (Rejected(shape=_plan_name(each.shape), why=_dearer(each)) for each in choices if each is not best)
    reasons = (*best.shape.reasons, *_grounds(best.expected, question.request.vllm))
    shape = best.shape.model_copy(update={"reasons": reasons, "rejected": (*rejected, *others)})
    return best.model_copy(update={"shape": shape})


def _for_requests_of(objective: ServiceObjective, question: ShapeQuestion) -> ShapeQuestion:
    model = question.model
    if objective.tokens > model.context:
        raise ShapeRefused(
            f"a request of {objective.tokens} tokens is longer than the {model.context} that {model.id} has",
            {"model_context": model.context},
        )
    return question.asking(min_context=max(question.request.min_context or 0, objective.tokens))


def _system(question: ShapeQuestion) -> System:
    """Raises ShapeRefused where the library's tables cannot describe the server."""
    node, request = question.node, question.request
    system = performance().systems.get(node.accelerator)
    name, unknown = f"{performance().library} {PINS.aiconfigurator_core}", f"{question.where}: its speed is unknown"
    if system is None:
        raise ShapeRefused(f"{unknown}: {name} has no tables of vLLM for {ACCELERATORS[node.accelerator].title}", {})
    without_figures = {
        "a part of a GPU": node.gpu_fraction != 1,
        "LoRA adapters": request.adapter_slots > 0,
        "speculative decoding": request.draft_tokens > 0,
        "an eager server (enforceEager)": request.enforce_eager,
    }
    for what, asked in without_figures.items():
        if asked:
            raise ShapeRefused(f"{unknown}: {_NOT_MODELLED} {what}", {})
    return system


def _options(
    question: ShapeQuestion, objective: ServiceObjective, answers: KeptAnswers
) -> tuple[list[_Option], list[Rejected]]:
    """Every shape that starts on the fewest nodes that hold the model, with what it is able to do."""
    options: list[_Option] = []
    rejected: list[Rejected] = []
    fewest: int | None = None
    for candidate in _candidates(question):
        if fewest is not None and candidate.nodes > fewest:
            break
        objection = objection_to(candidate, replace(question.request, replicas=None))
        if objection is not None:
            rejected.append(Rejected(shape=_name(candidate), why=objection))
            continue
        fewest = candidate.nodes
        limits = Limits(
            sequences=floor(_at_once(question, objective, candidate)),
            step_tokens=candidate.settings.max_num_batched_tokens,
            stages=candidate.pipeline,
            has_experts=question.model.is_moe,
        )
        try:
            able = capability(answers.of(_deployment(candidate)), objective, limits)
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


def _candidates(question: ShapeQuestion) -> Iterator[Candidate]:
    """Legal shapes, fewest GPUs first; experts whole and cut where either is legal."""
    whole = question.asking(expert_parallel=True)
    for tensor, pipeline in shapes_of(question):
        plain = evaluate(question, tensor, pipeline)
        yield plain
        uncut = question.model.is_moe and tensor > 1 and question.request.expert_parallel is None and not plain.experts
        if uncut and (tensor, pipeline) in shapes_of(whole):
            yield evaluate(whole, tensor, pipeline)


def _deployment(candidate: Candidate) -> Deployment:
    return Deployment(candidate.tensor, candidate.pipeline, candidate.experts, candidate.settings.kv_cache_dtype)


def _at_once(question: ShapeQuestion, objective: ServiceObjective, candidate: Candidate) -> float:
    """Requests of the objective's length that the cache of one replica holds, at most `max_num_seqs`."""
    if question.request.min_context == objective.tokens:
        return candidate.concurrency
    shorter = question.asking(min_context=objective.tokens, expert_parallel=candidate.experts)
    return evaluate(shorter, candidate.tensor, candidate.pipeline).concurrency


def _choice(question: ShapeQuestion, objective: ServiceObjective, option: _Option) -> ServiceChoice | str:
    """The option with its replicas and its batch; or why it cannot be."""
    able, wanted, request = option.able, option.candidate, question.request
    served = surely_served(able.most)
    replicas = max(
        ceil(objective.requests_per_second / served), ceil(request.min_concurrency / max(1, floor(wanted.concurrency)))
    )
    if request.replicas is not None:
        if request.replicas < replicas:
            return f"takes {replicas} replicas, and replicas says {request.replicas}"
        replicas = request.replicas
    batch = request.max_num_seqs or able.most.sequences
    written = question.asking(max_num_seqs=batch, replicas=replicas, expert_parallel=wanted.experts or None)
    candidate = evaluate(written, wanted.tensor, wanted.pipeline)
    objection = objection_to(candidate, replace(written.request, replicas=None))
    if objection is not None:
        return objection
    expected = _expected(written, objective, option, replicas)
    plan = shape_plan(written, candidate, _why(candidate, replicas, objective, expected), ())
    return ServiceChoice(shape=plan, expected=expected)


def _expected(question: ShapeQuestion, objective: ServiceObjective, option: _Option, replicas: int) -> ExpectedService:
    able, usd = option.able, option.candidate.usd_per_hour(question)
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
        tables_of_vllm=performance().systems[question.node.accelerator].tables,
        error_is_of=_error_is_of(question, option.candidate, objective),
    )


def _error_is_of(question: ShapeQuestion, candidate: Candidate, objective: ServiceObjective) -> str:
    """What the errors were measured on, and in what this server differs from that."""
    on, model, accelerator = performance().error.measured_on, question.model, question.node.accelerator
    differs = {
        accelerator: accelerator != on.accelerator,
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


def _dearer(choice: ServiceChoice) -> str:
    if choice.usd_per_hour is None:
        return f"takes {choice.shape.gpus * choice.shape.replicas} GPUs"
    return f"takes {choice.shape.replicas} replicas for {choice.usd_per_hour:.2f} USD/h"


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
