"""Enumerates the legal shapes of a model on a machine and works out what each does to memory."""

from dataclasses import replace
from math import ceil, floor

from catalog.architectures import traits_of
from catalog.model import Model
from planning.engine import ServeSettings, default_max_num_batched_tokens, default_max_num_seqs, graph_rules
from planning.legality import (
    attention_objection,
    cache_objection,
    expert_parallel_needed,
    legal_tensor_parallel,
    pipeline_objection,
    tensor_objection,
)
from planning.memory import GpuMemory, gpu_memory
from planning.server import Server
from planning.shape import Candidate, PerformanceMode, ShapeQuestion, ShapeRefused, ShapeRequest
from planning.weights import Sharding


def evaluate(question: ShapeQuestion, tensor: int, pipeline: int) -> Candidate:
    """Memory and concurrency of one shape, legal or not, for the wanted context or else the longest that is enough."""
    model, request, engine = question.model, question.request, question.engine
    experts = request.expert_parallel
    if experts is None:
        experts = expert_parallel_needed(model, tensor, cuts=engine.cuts_on(question.node.card.capability))
    sharding = Sharding(tensor, pipeline, tensor if experts and model.is_moe else 1)
    server = Server(model, question.node.card, sharding, resolve(question), engine)
    memory = gpu_memory(server)
    if request.max_num_seqs is None and memory.state_blocks:
        server = replace(server, settings=_with_states(server.settings, memory.state_blocks))
        memory = gpu_memory(server)
    if request.max_model_len is None and request.min_context is not None and not memory.fits:
        longest = memory.largest_max_model_len
        if longest >= request.min_context:
            server = _for_requests_of(longest, server)
            memory = gpu_memory(server)
    settings = server.settings
    context = request.min_context or settings.max_model_len
    shorter = gpu_memory(_for_requests_of(context, server)) if context < settings.max_model_len else memory
    nodes = max(1, ceil(tensor * pipeline / question.node.gpus))
    concurrency = min(shorter.max_concurrency, settings.max_num_seqs)
    return Candidate(tensor, pipeline, experts and model.is_moe, nodes, memory, settings, concurrency)


def _for_requests_of(tokens: int, server: Server) -> Server:
    return replace(server, settings=server.settings.model_copy(update={"max_model_len": tokens}))


_SPARE_STATES = 0.9
"""The share of the counted blocks that is used: a server that has a few less than the plan must start as well."""


def _with_states(settings: ServeSettings, blocks: int) -> ServeSettings:
    """The settings with as many sequences as there are surely blocks for, if that is less than vLLM would take."""
    room = max(1, int(blocks * _SPARE_STATES))
    if settings.max_num_seqs <= room:
        return settings
    return settings.model_copy(update={"max_num_seqs": room, "fewer_sequences": True})


def resolve(question: ShapeQuestion) -> ServeSettings:
    """The flags as vLLM resolves them on that card."""
    model, card, request, engine = question.model, question.node.card, question.request, question.engine
    length = request.max_model_len or model.context
    doubled = 2 if request.performance_mode is PerformanceMode.THROUGHPUT else 1
    batched = request.max_num_batched_tokens or max(
        default_max_num_batched_tokens(card, engine) * doubled,
        request.max_num_seqs or 0,
        traits_of(model.architecture).least_batched_tokens,
        0 if request.chunked_prefill else length,
    )
    seqs = request.max_num_seqs or default_max_num_seqs(card, engine) * doubled
    return ServeSettings(
        max_model_len=length,
        gpu_memory_utilization=request.gpu_memory_utilization or engine.defaults.gpu_memory_utilization,
        max_num_seqs=min(seqs, batched) if request.max_num_seqs is None else seqs,
        max_num_batched_tokens=batched,
        block_size=request.block_size or engine.defaults.block_size,
        graphs=graph_rules(
            card,
            engine,
            interactive=request.performance_mode is PerformanceMode.INTERACTIVITY,
            own_largest=traits_of(model.architecture).largest_graph,
        ),
        kv_cache_dtype=request.kv_cache_dtype,
        enforce_eager=request.enforce_eager,
        adapter_slots=request.adapter_slots,
        adapter_rank=request.adapter_rank,
        draft_gib=request.draft_gib,
        draft_tokens=request.draft_tokens,
        own_draft=request.own_draft,
        draft_layers=request.draft_layers,
        draft_model=request.draft_model,
        unasked_flags=request.unasked_flags,
    )


def refuse_impossible(question: ShapeQuestion) -> None:
    """What no shape can cure."""
    model, request = question.model, question.request
    limits = {"model_context": model.context}
    for name, wanted in (("max_model_len", request.max_model_len), ("min_context", request.min_context)):
        if wanted is not None and wanted > model.context:
            raise ShapeRefused(
                f"{name} {wanted} is more than the {model.context} tokens that {model.id} has", {**limits, name: wanted}
            )
    if request.max_model_len is not None and (request.min_context or 0) > request.max_model_len:
        raise ShapeRefused(
            f"min_context {request.min_context} is more than max_model_len {request.max_model_len}",
            {"min_context": request.min_context or 0, "max_model_len": request.max_model_len},
        )
    objection = attention_objection(model, question.kernels)
    if objection is not None:
        raise ShapeRefused(objection, {})
    objection = cache_objection(model, request.kv_cache_dtype, question.kernels)
    if objection is not None:
        raise ShapeRefused(f"kv_cache_dtype: {objection}", {})
    objection = batch_objection(model, request)
    if objection is not None:
        raise ShapeRefused(objection, {"max_num_seqs": request.max_num_seqs or 0})
    objection = draft_objection(model, request)
    if objection is not None:
        raise ShapeRefused(objection, {})
    needed = model.minimum_vllm
    if needed is not None and _version(request.vllm) < _version(needed):
        raise ShapeRefused(f"{model.id} needs vLLM {needed} or newer, not {request.vllm}", {})


def batch_objection(model: Model, request: ShapeRequest) -> str | None:
    """vLLM's own checks at start (config/scheduler.py, v1/core/encoder_cache_manager.py), or None."""
    seqs, batched = request.max_num_seqs, request.max_num_batched_tokens
    if batched is None:
        return None
    if seqs is not None and batched < seqs:
        return f"max_num_batched_tokens {batched} is less than max_num_seqs {seqs}: each needs a token of a step"
    length, least = request.max_model_len or model.context, traits_of(model.architecture).least_batched_tokens
    if not request.chunked_prefill and batched < length:
        return f"max_num_batched_tokens {batched} is less than max_model_len {length}, and no prompt may be cut"
    if batched < least:
        return f"max_num_batched_tokens {batched} is less than the {least} of the longest input that is never cut"
    return None


def draft_objection(model: Model, request: ShapeRequest) -> str | None:
    """Why the checkpoint cannot draft for itself, or None."""
    if request.own_draft and model.counted and not model.draft_layers:
        return f"speculative method mtp: {model.id} is not known to have layers for it; write draftLayers if it has"
    return None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.removeprefix("v").split(".") if part.isdigit())


def shapes_of(question: ShapeQuestion) -> list[tuple[int, int]]:
    """Legal shapes, fewest GPUs first. Raises ShapeRefused for a fixed value that is not legal."""
    model, node, request = question.model, question.node, question.request
    tensor, pipeline = request.tensor_parallel, request.pipeline_parallel
    cuts = question.engine.cuts_on(node.card.capability)
    if tensor is not None:
        objection = tensor_objection(model, node, tensor, request.expert_parallel, cuts=cuts)
        if objection is not None:
            legal = legal_tensor_parallel(model, node, request.expert_parallel, cuts=cuts)
            values = ", ".join(map(str, legal))
            raise ShapeRefused(f"tensor parallel {tensor}: {objection}; legal values: {values}", {"legal": legal})
    tensors = (
        [tensor]
        if tensor is not None
        else [
            value
            for value in legal_tensor_parallel(model, node, request.expert_parallel, cuts=cuts)
            if node.gpus % value == 0 or value % node.gpus == 0
        ]
    )
    if pipeline is not None:
        shapes = [(value, pipeline) for value in tensors]
        objections = {shape: pipeline_objection(model, node, *shape) for shape in shapes}
        legal_shapes = [shape for shape, objection in objections.items() if objection is None]
        if not legal_shapes:
            raise ShapeRefused(
                f"pipeline parallel {pipeline}: {objections[shapes[-1]]}",
                {"layers": model.layers, "gpus": node.gpus},
            )
        return legal_shapes
    inside = [value for value in tensors if value <= node.gpus]
    shapes = [(value, 1) for value in inside]
    widest = max(inside, default=0)
    if tensor is not None and tensor < node.gpus:
        return shapes
    if widest:  # heads that cannot be cut finer leave the rest of a node to pipeline stages
        shapes += [(widest, stages) for stages in range(2, min(node.gpus // widest, model.layers) + 1)]
    for nodes in range(2, request.max_nodes + 1):
        gpus = nodes * node.gpus
        if gpus in tensors:
            shapes.append((gpus, 1))
        elif widest and node.fabric and gpus % widest == 0 and gpus // widest <= model.layers:
            shapes.append((widest, gpus // widest))
    return shapes


def objection_to(candidate: Candidate, request: ShapeRequest) -> str | None:
    memory = candidate.memory
    if not memory.fits:
        return shortage(memory)
    objection = states_objection(candidate)
    if objection is not None:
        return objection
    if request.replicas is not None:
        per_replica = ceil(request.min_concurrency / request.replicas)
        if floor(candidate.concurrency) < per_replica:
            return (
                f"holds {candidate.concurrency:.1f} requests of {request.min_context or memory.wanted_max_model_len} "
                f"tokens at once, {per_replica} are wanted of each replica"
            )
    return None


def states_objection(candidate: Candidate) -> str | None:
    """Why vLLM ends at its start though the cache is large enough (config/compilation.py, 0.33.0), or None."""
    blocks, seqs = candidate.memory.state_blocks, candidate.settings.max_num_seqs
    if blocks is None or seqs <= blocks:
        return None
    return (
        f"max_num_seqs {seqs} is more than the {blocks} blocks of the cache, and each sequence that decodes needs one "
        f"for its states; write at most {max(1, int(blocks * _SPARE_STATES))}"
    )


def shortage(memory: GpuMemory) -> str:
    """Why a shape does not start, in one line, with the GiB that are missing on each GPU."""
    if memory.refusal is not None:
        return memory.refusal
    held = memory.weights_gib + memory.overhead_gib
    if memory.kv_cache_gib <= 0:
        return (
            f"{memory.weights_gib:.1f} GiB of weights and {memory.overhead_gib:.1f} GiB of overhead are "
            f"{held - memory.budget_gib:.1f} GiB more than the {memory.budget_gib:.1f} GiB of a GPU, and "
            f"one request of {memory.wanted_max_model_len} tokens takes {memory.needed_kv_gib:.1f} GiB: "
            f"{memory.missing_gib:.1f} GiB are missing"
        )
    return (
        f"one request of {memory.wanted_max_model_len} tokens takes {memory.needed_kv_gib:.2f} GiB, "
        f"{memory.kv_cache_gib:.2f} GiB are left of a GPU's {memory.budget_gib:.1f}: {memory.missing_gib:.2f} GiB are "
        f"missing; up to {memory.largest_max_model_len} tokens start"
    )
