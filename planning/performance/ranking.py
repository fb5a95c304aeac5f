"""Answers `python -m planning choose --service-objective`: what meets the objective on each accelerator."""

from pydantic import ValidationError, computed_field

from catalog import ACCELERATORS
from catalog.model import Model
from config.objective import ServiceObjective
from planning.decision import Decision
from planning.performance.choice import ServiceChoice, choose_service
from planning.prices import PriceList
from planning.shape import GpuNode, Rejected, ShapeQuestion, ShapeRefused, ShapeRequest


class ServiceRanking(Decision):
    """`choices`, the cheapest first; `refused` says of every accelerator without one why."""

    model: str
    objective: ServiceObjective
    region: str
    choices: tuple[ServiceChoice, ...]
    refused: tuple[Rejected, ...]

    @computed_field
    @property
    def meets(self) -> bool:
        return bool(self.choices)


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
    prices: PriceList,
    accelerator: str | None = None,
) -> ServiceRanking:
    """The cheapest way on every accelerator (or on the named one). Raises KeyError, and LibraryMissing."""
    choices: list[ServiceChoice] = []
    refused: list[Rejected] = []
    for name in list(ACCELERATORS) if accelerator is None else [accelerator]:
        entry = ACCELERATORS[name]
        nodes = [GpuNode.of(entry, machine) for machine in entry.machine_types]
        questions = [ShapeQuestion(model, node, request, prices.usd_of(node.machine_type)) for node in nodes]
        found = _cheapest(questions, objective)
        if isinstance(found, str):
            refused.append(Rejected(shape=name, why=found))
        else:
            choices.append(found)
    choices.sort(key=lambda choice: (choice.order, choice.shape.accelerator))
    return ServiceRanking(
        model=model.id, objective=objective, region=prices.region, choices=tuple(choices), refused=tuple(refused)
    )


def _cheapest(questions: list[ShapeQuestion], objective: ServiceObjective) -> ServiceChoice | str:
    """The cheapest over the machine types of an accelerator, or why there is none."""
    found: list[ServiceChoice] = []
    refusal = ""
    for question in questions:
        try:
            found.append(choose_service(question, objective))
        except ShapeRefused as refused:
            refusal = refused.message
    return min(found, key=lambda choice: choice.order) if found else refusal


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
    usd = "unknown" if choice.usd_per_hour is None else f"{choice.usd_per_hour:.2f}"
    tokens = expected.usd_per_million_output_tokens
    return (
        f"{rank:3} {shape.accelerator:13} {shape.machine_type:20} {name:20} {shape.gpus * shape.replicas:5} "
        f"{shape.settings.max_num_seqs:5} {expected.first_token_ms:7.0f} {expected.per_token_ms:6.1f} "
        f"{expected.requests_per_second_at_worst:8.1f} {100 * expected.head_room:5.0f}% {usd:>9} "
        f"{'unknown' if tokens is None else format(tokens, '.2f'):>10}  {expected.tables_of_vllm}"
    )
