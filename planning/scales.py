"""Whether the shards of a quantised model are whole groups of weights that share a scale: vLLM refuses others.

Read in vLLM 0.33.0: validate_fp8_block_shape (quantization/utils/fp8_utils.py), check_marlin_supports_layer
(quantization/utils/marlin_utils.py), resolve_fp8_moe_weight_block_shape (fused_moe/oracle/fp8.py). Only cuts through
the inputs of a matrix count: queries, keys and values, or gate and up, are parts of one matrix, and those may be no
whole blocks (_maybe_allow_fp8_block_shape_mismatch, layers/linear.py).
"""

from collections.abc import Iterator
from functools import lru_cache

from catalog.engine import ExpertCuts, Kernel
from catalog.model import (
    HeadedAttention,
    LinearAttention,
    LinearPart,
    MlaAttention,
    Model,
    Quantization,
    StateSpace,
    WeightFormat,
)

GATED_NVFP4_ROWS = 64
"""Rows of a gated expert in NVFP4 are a multiple of it: TensorRT-LLM's kernel pads them, and CUTLASS's ends vLLM (
vllm/model_executor/layers/quantization/utils/flashinfer_fp4_moe.py, prepare_nvfp4_moe_layer_for_fi_or_cutlass, read on
2026-11-29)."""
MARLIN_ROWS = 64
"""What Marlin's kernel rounds the rows of an expert in fp8, MXFP8 or integers up to (vllm/model_executor/layers/
quantization/utils/marlin_utils.py, marlin_moe_padded_intermediate). In fp8 it pads as if there were a gate, and ends
where there is none (marlin_utils_fp8.py, prepare_fp8_moe_layer_for_marlin; asked for Nemotron's 464 and 232 rows on
2026-11-29)."""
_FLOATS_BY_SCALE = {
    WeightFormat.NVFP4: 16,
    WeightFormat.NVFP4_A16: 16,
    WeightFormat.MXFP4: 32,
    WeightFormat.MXFP8: 32,
}
"""Weights of a floating format that share a scale: quantization/modelopt.py refuses a shard that cuts them, and
compressed-tensors takes a rank's scales from the wrong place."""

Cut = tuple[LinearPart, str, int]
"""A part, what is cut, and the whole width of its inputs."""


def cut_scales(model: Model, tensor: int) -> str | None:
    """Why vLLM refuses to cut the dense layers so finely, or None."""
    quantization = model.quantization
    if quantization is None:
        return None
    for part, what, width in _cuts(model):
        unit = _unit(model, quantization, part, tensor)
        if unit is not None and (width % tensor or width // tensor % unit):
            return f"{width / tensor:g} rows of {what} are no multiple of the {unit} weights that share a scale"
    return None


def cut_expert_scales(model: Model, tensor: int, *, cuts: ExpertCuts) -> str | None:
    """Why tensor parallel cannot cut the experts, or None."""
    experts, quantization = model.experts, model.quantization
    if experts is None or tensor == 1:
        return None
    size = experts.intermediate_size
    if size % tensor:
        return f"the experts' intermediate size {size} is no multiple of it"
    if quantization is not None and (why := _cut_groups(model, quantization, size // tensor)) is not None:
        return why
    if (rows := _rows_of_kernel(model, cuts)) is not None and size // tensor % rows:
        return f"{size // tensor} rows of an expert are no multiple of the {rows} that the kernel of that card takes"
    if quantization is None or (block := quantization.block) is None or size // tensor % block == 0:
        return None
    refines = cuts.refines and not quantization.whole_expert_blocks
    if refines and size % block == 0 and model.hidden_size % block == 0 and not experts.bias:
        return None
    return f"{size // tensor} rows of an expert are no multiple of the quantisation block of {block}"


def _rows_of_kernel(model: Model, cuts: ExpertCuts) -> int | None:
    """What an expert's rows must be a multiple of where the kernel cannot pad them; None: it can."""
    formats = expert_formats(model)
    if WeightFormat.NVFP4 in formats and cuts.nvfp4 is Kernel.CUTLASS and model.gated_mlp:
        return GATED_NVFP4_ROWS
    if WeightFormat.FP8 in formats and cuts.fp8 is Kernel.MARLIN and not model.gated_mlp:
        return MARLIN_ROWS
    return None


@lru_cache(maxsize=4096)
def expert_formats(model: Model) -> frozenset[WeightFormat | None]:
    """How the experts of its layers are stored."""
    return frozenset(
        model.format_of(LinearPart.EXPERTS, layer) for layer in range(model.layers) if model.has_experts(layer)
    )


def _cut_groups(model: Model, quantization: Quantization, rows: int) -> str | None:
    """vLLM's awq and gptq repeat the scales of a group that is cut, and compressed-tensors refuses."""
    group = quantization.group
    if group is None or quantization.finer_expert_groups or rows % group == 0:
        return None
    if not expert_formats(model) & {WeightFormat.INT4, WeightFormat.INT8}:
        return None
    return f"{rows} rows of an expert are no multiple of the {group} weights that share a scale"


def _unit(model: Model, quantization: Quantization, part: LinearPart, tensor: int) -> int | None:
    """Weights of that part that must stay together."""
    form = quantization.format_of(part, _some_layer(model, quantization, part))
    if form is WeightFormat.FP8 and quantization.block is not None:
        return quantization.block if tensor > 1 else None
    if form in (WeightFormat.INT4, WeightFormat.INT8):
        return quantization.group
    return None if form is None else _FLOATS_BY_SCALE.get(form)


def _some_layer(model: Model, quantization: Quantization, part: LinearPart) -> int:
    """A layer whose part has the main format, if there is one."""
    layers = range(model.layers)
    return next((layer for layer in layers if quantization.format_of(part, layer) is quantization.format), 0)


def _cuts(model: Model) -> Iterator[Cut]:
    if model.intermediate_size is not None and (model.experts is None or _has_dense(model)):
        yield LinearPart.DENSE_OUTPUT, "the intermediate size", model.intermediate_size
    if model.experts is not None and model.experts.shared_intermediate_size:
        yield LinearPart.SHARED_EXPERTS, "the shared experts", model.experts.shared_intermediate_size
    for group in model.attention:
        match group:
            case MlaAttention():
                width = model.attention_heads * group.v_head_dim
                yield LinearPart.ATTENTION_OUTPUT, "the attention's output", width
            case LinearAttention():
                width = group.value_heads * group.value_head_dim
                yield LinearPart.STATE_OUTPUT, "the linear layers' output", width
            case StateSpace():
                yield LinearPart.STATE_OUTPUT, "the state-space layers' output", group.inner
            case _ if isinstance(group, HeadedAttention):
                head = group.head_dim or model.head_dim
                yield LinearPart.ATTENTION_OUTPUT, "the attention's output", model.attention_heads * head
            case _:
                pass
    if model.vision is not None:
        for width in model.vision.cut_sizes:
            yield LinearPart.VISION, "the image encoder", width


def _has_dense(model: Model) -> bool:
    dense = (layer for layer in range(model.layers) if model.feeds_forward(layer) and not model.has_experts(layer))
    return any(True for _ in dense) or bool(model.experts and model.experts.beside_dense)
