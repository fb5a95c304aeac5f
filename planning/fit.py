"""Answers what would happen if one model were started with given flags: the `fit` question, for people and scripts."""

from typing import Annotated

from catalog.accelerator import Basis
from catalog.model import KvCacheDtype, Model
from planning.candidates import batch_objection, draft_objection, evaluate, shortage, states_objection
from planning.decision import Decision, rounded
from planning.kv_cache import bytes_per_token
from planning.legality import (
    attention_objection,
    cache_objection,
    legal_tensor_parallel,
    pipeline_objection,
    tensor_objection,
)
from planning.loaded import shape_warnings
from planning.memory import GpuMemory
from planning.shape import ShapeQuestion

Number = Annotated[float, rounded(3)]


class Fit(Decision):
    """The answer. GiB are per GPU, tokens are of the whole model server; None where the shape itself is not legal."""

    model: str
    accelerator: str
    machine_type: str
    vllm_version: str
    tensor_parallel: int
    pipeline_parallel: int
    expert_parallel: bool
    fits: bool
    basis: Basis
    basis_reason: str
    gpu_memory_gib: Number
    gpu_memory_utilization: Number | None = None
    budget_gib: Number | None = None
    weights_gib: Number | None = None
    overhead_gib: Number | None = None
    activation_gib: Number | None = None
    non_torch_gib: Number | None = None
    cuda_graphs_gib: Number | None = None
    kv_cache_gib: Number | None = None
    kv_cache_tokens: int | None = None
    kv_bytes_per_token: int | None = None
    """On one GPU, of the layers that keep the whole context."""
    missing_gib: Number | None = None
    wanted_max_model_len: int | None = None
    max_model_len: int | None = None
    """The wanted one if it starts, else the largest that does; 0 if none."""
    max_concurrency: Number | None = None
    """Requests of the wanted length at once."""
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def fit(question: ShapeQuestion) -> Fit:
    """Whether the model starts so, and what it would have. The request's TP and PP default to 1.

    Raises ValueError for a release that is none. Nothing is refused: a shape that is not legal does not fit.
    """
    model, node, request, vllm = question.model, question.node, question.request, question.engine.version
    tensor, pipeline = request.tensor_parallel or 1, request.pipeline_parallel or 1
    illegal = _illegal(question, tensor, pipeline)
    if illegal is not None:
        return _refused(question, tensor, pipeline, illegal)
    candidate = evaluate(question.asking(min_context=None), tensor, pipeline)
    memory, settings = candidate.memory, candidate.settings
    if not memory.counted:
        return _refused(question, tensor, pipeline, shortage(memory))
    reasons = [
        f"{memory.basis}: {memory.basis_reason}",
        f"weights: {memory.weights_gib:.2f} GiB on each GPU at TP {tensor}, PP {pipeline}",
        f"overhead: {memory.activation_gib:.2f} GiB of activations at {settings.max_num_batched_tokens} batched tokens "
        f"and {settings.max_num_seqs} sequences, {memory.non_torch_gib:.2f} outside torch, "
        f"{memory.graphs_gib:.2f} charged for CUDA graphs by the {memory.runner} runner, as in vLLM {vllm}",
    ]
    states = states_objection(candidate)
    fits = memory.fits and states is None
    if memory.fits and states is not None:
        reasons.append(f"does not start: {states}")
    elif memory.fits:
        reasons.append(
            f"fits: {memory.kv_cache_gib:.2f} of {memory.budget_gib:.2f} GiB are left for "
            f"{memory.kv_cache_tokens} tokens, {memory.max_concurrency:.2f} requests of {settings.max_model_len}"
        )
    else:
        reasons.append(f"does not fit: {shortage(memory)}")
    return Fit(
        model=model.id,
        accelerator=node.accelerator,
        machine_type=node.machine_type,
        vllm_version=request.vllm,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        expert_parallel=candidate.experts,
        fits=fits,
        basis=memory.basis,
        basis_reason=memory.basis_reason,
        gpu_memory_gib=node.card.torch_gib,
        gpu_memory_utilization=settings.gpu_memory_utilization,
        budget_gib=memory.budget_gib,
        weights_gib=memory.weights_gib,
        overhead_gib=memory.overhead_gib,
        activation_gib=memory.activation_gib,
        non_torch_gib=memory.non_torch_gib,
        cuda_graphs_gib=memory.graphs_gib,
        kv_cache_gib=max(0.0, memory.kv_cache_gib),
        kv_cache_tokens=memory.kv_cache_tokens,
        kv_bytes_per_token=None
        if model.recorded_only
        else bytes_per_token(model, settings.kv_cache_dtype, tensor, pipeline),
        missing_gib=memory.missing_gib,
        wanted_max_model_len=settings.max_model_len,
        max_model_len=memory.largest_max_model_len,
        max_concurrency=memory.max_concurrency,
        max_num_seqs=settings.max_num_seqs,
        max_num_batched_tokens=settings.max_num_batched_tokens,
        kv_cache_dtype=settings.kv_cache_dtype,
        reasons=tuple(reasons),
        warnings=(*_warnings(model, memory), *shape_warnings(model, node, settings)),
    )


def _refused(question: ShapeQuestion, tensor: int, pipeline: int, why: str) -> Fit:
    """An answer without numbers."""
    node, request = question.node, question.request
    return Fit(
        model=question.model.id,
        accelerator=node.accelerator,
        machine_type=node.machine_type,
        vllm_version=request.vllm,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        expert_parallel=bool(request.expert_parallel),
        fits=False,
        basis=Basis.EXTRAPOLATED,
        basis_reason="by our rules for the shapes that vLLM accepts",
        gpu_memory_gib=node.card.torch_gib,
        reasons=(why,),
    )


def _illegal(question: ShapeQuestion, tensor: int, pipeline: int) -> str | None:
    model, node, request = question.model, question.node, question.request
    cuts = question.engine.cuts_on(node.card.capability)
    objection = attention_objection(model, question.kernels)
    if objection is not None:
        return objection
    objection = tensor_objection(model, node, tensor, request.expert_parallel, cuts=cuts)
    if objection is not None:
        legal = ", ".join(map(str, legal_tensor_parallel(model, node, request.expert_parallel, cuts=cuts)))
        return f"tensor parallel {tensor} is not legal: {objection}; legal values: {legal}"
    objection = pipeline_objection(model, node, tensor, pipeline)
    if objection is not None:
        return f"pipeline parallel {pipeline} is not legal: {objection}"
    objection = cache_objection(model, request.kv_cache_dtype, question.kernels)
    if objection is not None:
        return f"kv cache dtype: {objection}"
    for objection in (batch_objection(model, request), draft_objection(model, request)):
        if objection is not None:
            return objection
    if request.max_model_len is not None and request.max_model_len > model.context:
        return f"max model len {request.max_model_len} is more than the model's context of {model.context} tokens"
    return None


def _warnings(model: Model, memory: GpuMemory) -> tuple[str, ...]:
    warnings: list[str] = []
    if memory.basis is Basis.EXTRAPOLATED:
        warnings.append(f"extrapolated: {memory.basis_reason}")
    if not model.counted and memory.basis is not Basis.RECORDED:
        warnings.append("the weights follow from the checkpoint's size, not from the model's shape: allow for 5 %")
    return tuple(warnings)
