"""Which shapes vLLM accepts for a model on a machine: divisibility, the NVLink domain, and how nodes are filled."""

from functools import lru_cache
from math import ceil

from catalog.engine import FINEST_CUTS, ExpertCuts, Kernel, Kernels
from catalog.model import (
    HeadedAttention,
    KvCacheDtype,
    LinearAttention,
    MlaAttention,
    Model,
    StateSpace,
    WeightFormat,
)
from planning.kv_cache import cache_dtype, is_sparse, no_fp8_cache
from planning.scales import cut_expert_scales, cut_scales, expert_formats
from planning.shape import GpuNode


def attention_objection(model: Model, kernels: Kernels) -> str | None:
    """Why no kernel that the release has for the card computes the model's attention, or None."""
    if kernels.sparse is None and is_sparse(model):
        return f"{model.id} has sparse attention, for which vLLM has no kernel on that card"
    return None


def cache_objection(model: Model, dtype: KvCacheDtype, kernels: Kernels) -> str | None:
    """Why the model's cache cannot have that dtype where the release picks these kernels, or None."""
    latent = all(isinstance(group, MlaAttention) for group in model.attention)
    if dtype is KvCacheDtype.FP8_DS_MLA and not latent and not model.recorded_only:
        return f"{model.id} has no latent attention, which {dtype} packs"
    if model.recorded_only or not cache_dtype(model, dtype, kernels).quantised:
        return None
    kind = no_fp8_cache(model, kernels)
    if kind is None:
        return None
    asks = " (the checkpoint asks for it; bfloat16 is possible)" if dtype is KvCacheDtype.AUTO else ""
    return f"on that card vLLM has no cache in fp8 for {kind}, which {model.id} has{asks}"


@lru_cache(maxsize=4096)
def legal_tensor_parallel(
    model: Model, node: GpuNode, expert_parallel: bool | None = None, *, cuts: ExpertCuts = FINEST_CUTS
) -> tuple[int, ...]:
    """Every tensor-parallel size that vLLM accepts for the model inside one NVLink domain."""
    sizes = range(1, node.tensor_domain + 1)
    return tuple(size for size in sizes if tensor_objection(model, node, size, expert_parallel, cuts=cuts) is None)


def tensor_objection(
    model: Model, node: GpuNode, tensor: int, expert_parallel: bool | None = None, *, cuts: ExpertCuts = FINEST_CUTS
) -> str | None:
    """Why that size is not legal, or None."""
    if tensor < 1:
        return "it must be at least 1"
    domain = node.tensor_domain
    if tensor > domain:
        return f"{node.machine_type} joins {domain} GPUs, and tensor parallel stays among them"
    if tensor > node.gpus and tensor % node.gpus:
        return f"it fills no whole nodes of {node.gpus} GPUs"
    only_on = model.quantization.only_on if model.quantization is not None else frozenset[str]()
    if only_on and node.card.capability not in only_on:
        return f"vLLM serves its format on cards of compute capability {', '.join(sorted(only_on))} alone"
    if model.recorded_only:  # what vLLM refuses of it is in its record
        return None
    return (
        _biased(model, cuts) or _indivisible(model, tensor) or _odd_experts(model, tensor, expert_parallel, cuts=cuts)
    )


def _biased(model: Model, cuts: ExpertCuts) -> str | None:
    """Humming's kernel of experts takes a bias of all parts or of none, and in NVFP4 it gets none (vLLM 0.33.0 ends
    with "bias is required by humming"; its own code, asked for gpt-oss on 2026-11-29)."""
    if model.experts is None or not model.experts.bias:
        return None
    if cuts.nvfp4 is not Kernel.HUMMING or WeightFormat.NVFP4 not in expert_formats(model):
        return None
    return "vLLM ends at start with experts in NVFP4 that have biases, on that card"


def _indivisible(model: Model, tensor: int) -> str | None:
    if model.attention_heads % tensor:
        return f"{model.attention_heads} attention heads are no multiple of it"
    for group in model.attention:
        if isinstance(group, HeadedAttention):
            heads = model.key_value_heads_of(group)
            if heads % tensor and tensor % heads:
                return f"{heads} key-value heads can neither be divided nor repeated evenly"
        elif isinstance(group, LinearAttention) and (group.key_heads % tensor or group.value_heads % tensor):
            return (
                f"{group.key_heads} key and {group.value_heads} value heads of the linear layers are no multiples of it"
            )
        elif isinstance(group, StateSpace) and (
            group.heads % tensor or (group.groups % tensor and tensor % group.groups)
        ):
            return f"{group.heads} heads in {group.groups} groups of the state-space layers are no multiples of it"
    if ceil(model.vocabulary / 64) * 64 % tensor:
        return f"the vocabulary of {model.vocabulary}, padded to a multiple of 64, is no multiple of it"
    if model.intermediate_size is not None and model.intermediate_size % tensor:
        return f"the intermediate size {model.intermediate_size} is no multiple of it"
    for width in model.vision.cut_sizes if model.vision is not None else ():
        if width % tensor:
            return f"the width {width} of the image encoder is no multiple of it"
    return cut_scales(model, tensor)


def _odd_experts(model: Model, tensor: int, expert_parallel: bool | None, *, cuts: ExpertCuts) -> str | None:
    """Why experts cannot be cut so. With expert parallel they stay whole, but there must be one for every rank."""
    if model.experts is None:
        return None
    if expert_parallel or (expert_parallel is None and expert_parallel_needed(model, tensor, cuts=cuts)):
        if model.experts.count < tensor:
            return f"{model.experts.count} experts are fewer than the ranks"
        return None
    return cut_expert_scales(model, tensor, cuts=cuts)


@lru_cache(maxsize=4096)
def expert_parallel_needed(model: Model, tensor: int, *, cuts: ExpertCuts = FINEST_CUTS) -> bool:
    """Whether tensor parallel alone cannot cut the experts, so that they must be dealt out whole."""
    return not model.recorded_only and cut_expert_scales(model, tensor, cuts=cuts) is not None


def pipeline_objection(model: Model, node: GpuNode, tensor: int, pipeline: int) -> str | None:
    """Why those stages cannot be laid on nodes, or None."""
    if pipeline < 1:
        return "it must be at least 1"
    if pipeline > model.layers:
        return f"{model.id} has {model.layers} layers"
    gpus = tensor * pipeline
    if gpus <= node.gpus:
        return None
    if gpus % node.gpus:
        return f"TP {tensor} x PP {pipeline} = {gpus} GPUs fill no whole nodes of {node.gpus}"
    if tensor < node.gpus and node.gpus % tensor:
        return f"TP {tensor} does not divide the {node.gpus} GPUs of a node, so a stage would cross nodes"
    return None
