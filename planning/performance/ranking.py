"""Answers `python -m planning choose --service-objective`: what meets the objective on each accelerator."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from catalog import ACCELERATORS, Accelerator, CapacityKind, PriceKind, price
from catalog.model import Model
from config.objective import ServiceObjective
from planning.performance.choice import ServiceChoice, choose_service
from planning.shape import Rejected, ShapeRefused, ShapeRequest


@dataclass(frozen=True)
class ServiceRanking:
    """`choices`, the cheapest first; `refused` says of every accelerator without one why."""

    model: str
    objective: ServiceObjective
    region: str
    choices: tuple[ServiceChoice, ...]
    refused: tuple[Rejected, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "objective": self.objective.model_dump(by_alias=True),
            "region": self.region,
            "meets": bool(self.choices),
            "choices": [_row(choice, rank) for rank, choice in enumerate(self.choices, start=1)],
            "refused": [refused.model_dump() for refused in self.refused],
        }


def objective_of(text: str) -> ServiceObjective:
    """Reads `timeToFirstToken=500,timePerOutputToken=30,...`, with the keys of a stack file. Raises ValueError with one
    line."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    values = {key.strip(): value.strip() for key, _, value in pairs}
    try:
        return ServiceObjective.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        keys = ", ".join(field.alias or name for name, field in ServiceObjective.model_fields.items())
        raise ValueError(
            f"service objective: {'.'.join(map(str, first['loc']))}: {first['msg']}; write key=value, ... of {keys}"
        ) from None


def rank_services(
    model: Model,
    request: ShapeRequest,
    objective: ServiceObjective,
    region: str,
    capacity: CapacityKind | None = None,
    accelerator: str | None = None,
) -> ServiceRanking:
    """The cheapest way on every accelerator (or on the named one). Raises KeyError, and LibraryMissing."""
    choices: list[ServiceChoice] = []
    refused: list[Rejected] = []
    for name in list(ACCELERATORS) if accelerator is None else [accelerator]:
        found = _on(model, ACCELERATORS[name], request, objective, region, capacity)
        if isinstance(found, str):
            refused.append(Rejected(shape=name, why=found))
        else:
            choices.append(found)
    ordered = sorted(choices, key=lambda choice: (choice.order, choice.shape.accelerator))
    return ServiceRanking(model.id, objective, region, tuple(ordered), tuple(refused))


def _on(
    model: Model,
    accelerator: Accelerator,
    request: ShapeRequest,
    objective: ServiceObjective,
    region: str,
    capacity: CapacityKind | None,
) -> ServiceChoice | str:
    """The cheapest over the accelerator's machine types, or why there is none."""
    found: list[ServiceChoice] = []
    refusal = ""
    for machine in accelerator.machine_types:
        listed = price(machine.name, region, capacity or PriceKind.ON_DEMAND)
        try:
            usd = None if listed is None else listed.usd
            found.append(choose_service(model, accelerator, machine, request, objective, usd))
        except ShapeRefused as refused:
            refusal = refused.message
    return min(found, key=lambda choice: choice.order) if found else refusal


def _row(choice: ServiceChoice, rank: int) -> dict[str, Any]:
    shape = choice.shape
    return {
        "rank": rank,
        "accelerator": shape.accelerator,
        "machine_type": shape.machine_type,
        "tensor_parallel": shape.tensor_parallel,
        "pipeline_parallel": shape.pipeline_parallel,
        "expert_parallel": shape.expert_parallel,
        "replicas": shape.replicas,
        "gpus": shape.gpus * shape.replicas,
        "max_num_seqs": shape.settings.max_num_seqs,
        "usd_per_hour": None if shape.usd_per_hour is None else round(shape.usd_per_hour * shape.replicas, 4),
        "expected": choice.expected.model_dump(exclude={"objective"}),
        "reasons": shape.reasons,
        "rejected": [rejected.model_dump() for rejected in shape.rejected],
        "warnings": shape.warnings,
    }


def ranking_text(answer: ServiceRanking) -> str:
    """A table, and the reasons of its first row."""
    wanted = answer.objective
    lines = [
        f"{answer.model}: {wanted.time_to_first_token:g} ms to the first token, {wanted.time_per_output_token:g} ms a "
        f"token (means), {wanted.requests_per_second:g} requests a second of {wanted.input_tokens} tokens in and "
        f"{wanted.output_tokens} out; prices of {answer.region}. Estimates, not measurements"
    ]
    if answer.choices:
        lines.append(
            f"{'':4}{'accelerator':13} {'machine':20} {'shape':20} {'GPUs':>5} {'seqs':>5} {'first':>7} {'token':>6} "
            f"{'req/s':>8} {'room':>6} {'USD/h':>9} {'USD/M out':>10}  tables"
        )
    lines += [_line(choice, rank) for rank, choice in enumerate(answer.choices, start=1)]
    if answer.choices:
        best = answer.choices[0].shape
        lines += ["why the first:", *(f"  {reason}" for reason in best.reasons)]
        lines += [f"  not {rejected.shape}: {rejected.why}" for rejected in best.rejected]
        lines += [f"  warning: {warning}" for warning in best.warnings]
    lines += [f"not {refused.shape}: {refused.why}" for refused in answer.refused]
    return "\n".join(lines)


def _line(choice: ServiceChoice, rank: int) -> str:
    shape, expected = choice.shape, choice.expected
    pipeline = f" PP {shape.pipeline_parallel}" if shape.pipeline_parallel > 1 else ""
    name = f"{shape.replicas} x TP {shape.tensor_parallel}{pipeline}" + (" EP" if shape.expert_parallel else "")
    usd = "unknown" if shape.usd_per_hour is None else f"{shape.usd_per_hour * shape.replicas:.2f}"
    tokens = expected.usd_per_million_output_tokens
    return (
        f"{rank:3} {shape.accelerator:13} {shape.machine_type:20} {name:20} {shape.gpus * shape.replicas:5} "
        f"{shape.settings.max_num_seqs:5} {expected.first_token_ms:7.0f} {expected.per_token_ms:6.1f} "
        f"{expected.requests_per_second_at_worst:8.1f} {100 * expected.head_room:5.0f}% {usd:>9} "
        f"{'unknown' if tokens is None else format(tokens, '.2f'):>10}  {expected.tables_of_vllm}"
    )
