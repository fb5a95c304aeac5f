"""What vLLM's kernels make of a shard whose width they cannot take: they pad it, or refuse it.

Read in vLLM 0.33.0 for Hopper (capability 9.0); on other cards it is an extrapolation.
"""

from math import gcd

from catalog.model import Model, Quantization, WeightFormat
from planning.stored import rounded_up

_MXFP4_TILE = 64
"""vllm/model_executor/layers/fused_moe/oracle/mxfp4.py: the Triton kernel rounds an expert's width up to it."""
_INTEGER_TILE = 128
"""Rows of int4 experts are a multiple of it (vLLM's own code, asked for 96 and 192 rows)."""
_UNGATED_TILE = 128
"""Rows of fp8 experts without a gate are a multiple of it (vLLM's own code, asked for Nemotron's 232 to 1,856)."""
_FINEST_BLOCK = 32


def padded_experts(model: Model, form: WeightFormat | None, tensor: int) -> float:
    """Rows of one expert on one GPU, of `tensor` that cut it, with what the kernel of that format pads."""
    assert model.experts is not None
    size = model.experts.intermediate_size / tensor
    quantization = model.quantization
    if form is None or quantization is None:
        return size
    if form is WeightFormat.FP8 and quantization.block and tensor > 1:
        return size if _refined(model, size) >= _FINEST_BLOCK else rounded_up(size, quantization.block)
    return rounded_up(size, _tile(form, quantization, gated=model.gated_mlp))


def refined_block(model: Model, form: WeightFormat | None, size: float, tensor: int) -> int | None:
    """The block or group that experts get where a shard of `size` rows cuts the checkpoint's; None: its own.

    vllm/model_executor/layers/fused_moe/oracle/fp8.py, quantization/moe_wna16.py.
    """
    quantization = model.quantization
    if quantization is None or tensor == 1:
        return None
    if form is WeightFormat.INT4 and quantization.group is not None and quantization.finer_expert_groups:
        group = quantization.group
        while size % group:
            group //= 2
        return group
    block = quantization.block
    return None if block is None or size % block == 0 else _refined(model, size)


def _refined(model: Model, size: float) -> int:
    assert model.quantization is not None and model.quantization.block is not None
    return gcd(model.quantization.block, int(size), model.hidden_size)


def _tile(form: WeightFormat, quantization: Quantization, *, gated: bool) -> int:
    match form:
        case WeightFormat.FP8 if not gated and quantization.block is None:
            return _UNGATED_TILE
        case WeightFormat.MXFP4:
            return _MXFP4_TILE
        case WeightFormat.INT4:
            return _INTEGER_TILE
        case _:
            return 1
