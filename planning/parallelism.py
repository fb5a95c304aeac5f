"""Decides the shape of one model server: tensor, pipeline and expert parallel, nodes and replicas, and says why."""

from functools import lru_cache
from math import ceil, floor, log2

from config.models import Objective
from planning.candidates import evaluate, objection_to, refuse_impossible, shapes_of
from planning.loaded import shape_warnings
from planning.shape import (
    Candidate,
    Pattern,
    Rejected,
    ShapePlan,
    ShapeQuestion,
    ShapeRefused,
    ShapeRequest,
)

# Two replicas of TP 1 beat one of TP 2 by 17 % where TP 2 had 1.07 times the cache tokens per GPU, and by 6 % at 1.34
# times (measured on H200, 1024 tokens in, 256 out). Drawn out they are even at 1.5 times; twice is asked for, so that
# the smaller shape only loses where it is surely starved of cache.
_CACHE_GAIN_PER_DOUBLING = 2.0
# One request ran 1.36 times faster at TP 2 from 15 GiB of weights per GPU, 1.5 and 1.6 times from 51 and 61 GiB
# (measured on H200); below 8 GiB nothing was measured, and latency no longer follows the weights.
_LATENCY_FLOOR_GIB = 8.0


@lru_cache(maxsize=8192)
def choose_shape(question: ShapeQuestion) -> ShapePlan:
    """The shape for the model on that machine type; what the request fixes is validated instead of chosen.

    Raises ShapeRefused. A fixed shape that is legal and fits is never refused; one that wastes GPUs carries a warning.
    """
    request = question.request
    refuse_impossible(question)
    shapes = shapes_of(question)
    feasible: list[Candidate] = []
    rejected: list[Rejected] = []
    closest: Candidate | None = None
    for tensor, pipeline in shapes:
        candidate = evaluate(question, tensor, pipeline)
        why = objection_to(candidate, request)
        if why is None:
            feasible.append(candidate)
            if candidate.nodes > feasible[0].nodes:
                break
        else:
            rejected.append(Rejected(shape=candidate.name, why=why))
            closest = candidate if candidate.memory.counted or closest is None else closest
    if not feasible:
        raise _refusal(question, closest, tuple(rejected))
    chosen, why, passed_over = _pick(feasible, request)
    plan = shape_plan(question, chosen, why, (*rejected, *passed_over))
    wasteful = _wasteful(question, plan)
    return plan if wasteful is None else plan.model_copy(update={"warnings": (wasteful, *plan.warnings)})


def _refusal(question: ShapeQuestion, closest: Candidate | None, rejected: tuple[Rejected, ...]) -> ShapeRefused:
    where, request = question.where, question.request
    if closest is None:
        return ShapeRefused(
            f"{where}: no legal shape within {request.max_nodes} nodes", {"max_nodes": request.max_nodes}
        )
    memory = closest.memory
    why = objection_to(closest, request)
    if not memory.counted:
        return ShapeRefused(f"{where} with {closest.name}: {why}", {}, rejected)
    return ShapeRefused(
        f"{where} does not fit {'with' if request.fixes_shape else 'even with'} {closest.name}: {why}",
        {
            "missing_gib": round(memory.missing_gib, 2),
            "weights_gib": round(memory.weights_gib, 2),
            "overhead_gib": round(memory.overhead_gib, 2),
            "budget_gib": round(memory.budget_gib, 2),
            "kv_cache_gib": round(memory.kv_cache_gib, 2),
            "max_model_len": memory.largest_max_model_len,
        },
        rejected,
    )


def _pick(feasible: list[Candidate], request: ShapeRequest) -> tuple[Candidate, str, tuple[Rejected, ...]]:
    """The best of the shapes that fit, why, and why not the others."""
    chosen = feasible[0]
    if len(feasible) == 1:
        why = "fixed by the stack" if request.fixes_shape else "the only shape that fits on so few nodes"
        return chosen, f"{chosen.name}: {why}", ()
    passed: list[Rejected] = []
    for larger in feasible[1:]:
        if larger.nodes > chosen.nodes:
            passed.append(Rejected(shape=larger.name, why=f"takes {larger.nodes} nodes where {chosen.nodes} suffices"))
            continue
        better, number = _improves(chosen, larger, request.objective)
        if better:
            passed.append(Rejected(shape=chosen.name, why=number))
            chosen = larger
        else:
            passed.append(Rejected(shape=larger.name, why=number))
    return chosen, f"{chosen.name}: {_why(chosen, request.objective)}", tuple(passed)


def _improves(smaller: Candidate, larger: Candidate, objective: Objective) -> tuple[bool, str]:
    """Whether the larger shape is worth its GPUs, and the number that speaks against the loser."""
    if objective is Objective.LATENCY:
        weights = smaller.memory.weights_gib
        if weights >= _LATENCY_FLOOR_GIB:
            return (
                True,
                f"every GPU reads {weights:.1f} GiB of weights a token, {larger.name} {larger.memory.weights_gib:.1f}",
            )
        return False, (
            f"{smaller.name} leaves {weights:.1f} GiB of weights per GPU, below the {_LATENCY_FLOOR_GIB:.0f} GiB under "
            "which no gain was measured"
        )
    gain = (larger.memory.kv_cache_tokens / larger.gpus) / max(1.0, smaller.memory.kv_cache_tokens / smaller.gpus)
    per_gpu = f"{gain:.2f} times the cache tokens per GPU of {smaller.name}"
    enough = _CACHE_GAIN_PER_DOUBLING ** log2(larger.gpus / smaller.gpus)
    if gain >= enough:
        return True, f"{larger.name} has {per_gpu}, more than the {enough:.1f} at which it surely pays off"
    return False, f"has {per_gpu}; below {enough:.1f} more replicas of {smaller.name} are the better use of the GPUs"


def _why(chosen: Candidate, objective: Objective) -> str:
    memory = chosen.memory
    if objective is Objective.LATENCY:
        return f"the fewest weights per GPU that still gain ({memory.weights_gib:.1f} GiB), on {chosen.nodes} node(s)"
    if chosen.nodes > 1:
        return f"the fewest nodes that hold it ({chosen.nodes}), {memory.kv_cache_tokens} cache tokens"
    return f"the fewest GPUs per replica that use their memory well ({memory.kv_cache_tokens} cache tokens)"


def shape_plan(question: ShapeQuestion, chosen: Candidate, why: str, rejected: tuple[Rejected, ...]) -> ShapePlan:
    """The plan of a candidate that was chosen, whoever chose it."""
    model, node, request = question.model, question.node, question.request
    replicas = request.replicas or ceil(request.min_concurrency / floor(chosen.concurrency))
    pattern = (
        Pattern.MULTI_NODE if chosen.nodes > 1 else Pattern.SINGLE_GPU if chosen.gpus == 1 else Pattern.SINGLE_NODE
    )
    return ShapePlan(
        model=model.id,
        accelerator=node.accelerator,
        machine_type=node.machine_type,
        vllm=request.vllm,
        pattern=pattern,
        tensor_parallel=chosen.tensor,
        pipeline_parallel=chosen.pipeline,
        expert_parallel=chosen.experts,
        replicas=replicas,
        nodes=chosen.nodes,
        gpus_per_node=min(chosen.gpus, node.gpus),
        settings=chosen.settings,
        memory=chosen.memory,
        concurrency=chosen.concurrency,
        usd_per_hour=chosen.usd_per_hour(question),
        reasons=(why, *_reasons(question, chosen, replicas)),
        rejected=rejected,
        warnings=_warnings(question, chosen),
    )


def _reasons(question: ShapeQuestion, chosen: Candidate, replicas: int) -> tuple[str, ...]:
    model, request, memory, settings = question.model, question.request, chosen.memory, chosen.settings
    reasons = [
        f"memory per GPU: {memory.weights_gib:.1f} GiB of weights and {memory.overhead_gib:.1f} GiB of overhead leave "
        f"{memory.kv_cache_gib:.1f} of {memory.budget_gib:.1f} GiB for the KV cache",
        f"cache: {memory.kv_cache_tokens} tokens, {memory.max_concurrency:.1f} requests of "
        f"{settings.max_model_len} at once",
    ]
    if settings.max_model_len < model.context and request.max_model_len is None:
        reasons.append(f"context {settings.max_model_len}: the longest that starts, of the model's {model.context}")
    if chosen.pipeline > 1:
        reasons.append(
            f"PP {chosen.pipeline}: the stages cross {chosen.nodes} node(s), tensor parallel stays inside each"
        )
    if chosen.experts and request.expert_parallel is None:
        reasons.append(f"expert parallel: TP {chosen.tensor} cuts an expert's rows where no quantisation block ends")
    if replicas > 1 and request.replicas is None:
        reasons.append(
            f"{replicas} replicas: one holds {chosen.concurrency:.1f} of the {request.min_concurrency} wanted requests"
        )
    return tuple(reasons)


def _warnings(question: ShapeQuestion, chosen: Candidate) -> tuple[str, ...]:
    model, node = question.model, question.node
    warnings: list[str] = []
    if chosen.tensor > 1 and node.nvlink_gpus <= 1:
        warnings.append(f"tensor parallel {chosen.tensor} runs over PCIe: {node.machine_type} has no NVLink")
    if chosen.nodes > 1 and not node.fabric and node.tensor_domain < chosen.gpus:
        warnings.append(
            f"{chosen.nodes} nodes of {node.machine_type} talk over their ordinary network: it has no RDMA fabric"
        )
    if not model.counted and not model.recorded_only:
        warnings.append("the weights follow from the checkpoint's size, not from the model's shape: allow for 5 %")
    warnings += shape_warnings(model, node, chosen.settings)
    return tuple(warnings)


def _wasteful(question: ShapeQuestion, plan: ShapePlan) -> str | None:
    """The cheaper alternative to a shape that the user fixed, if the planner knows one."""
    if not question.request.fixes_shape:
        return None
    try:
        other = choose_shape(question.asking(tensor_parallel=None, pipeline_parallel=None))
    except ShapeRefused:
        return None
    if other.gpus * other.replicas >= plan.gpus * plan.replicas:
        return None
    shape = f"TP {other.tensor_parallel}" + (f" x PP {other.pipeline_parallel}" if other.pipeline_parallel > 1 else "")
    return (
        f"wasteful: {_gpus(plan)} ({_usd(plan)}) where {_gpus(other)} ({_usd(other)}) would do: "
        f"{shape} holds {other.memory.kv_cache_tokens} cache tokens"
    )


def _gpus(plan: ShapePlan) -> str:
    gpus = plan.gpus * plan.replicas
    return f"{gpus} GPU" + ("s" if gpus > 1 else "")


def _usd(plan: ShapePlan) -> str:
    return "price unknown" if plan.usd_per_hour is None else f"{plan.usd_per_hour * plan.replicas:.2f} USD/h"
