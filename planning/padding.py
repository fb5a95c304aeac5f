"""What vLLM's kernels make of a shard whose width they cannot take: they pad it, or refuse it.

Read in vLLM 0.33.0. Which kernel a release picks on which card stands in its entry; where no kernel is named there,
that of Hopper (capability 9.0) is taken.
"""

from dataclasses import replace
from math import gcd, lcm

from catalog.architectures import traits_of
from catalog.engine import Kernel, Kernels
from catalog.model import Model, WeightFormat
from planning.scales import GATED_NVFP4_ROWS, MARLIN_ROWS
from planning.stored import Plain, Quantised, rounded_up

_MXFP4_TILES = {Kernel.TRITON: (64, 1), Kernel.MARLIN: (128, 256), Kernel.TENSORRT: (128, 256)}
"""What each kernel rounds an expert's width and the model's width up to (vllm/model_executor/layers/fused_moe/oracle/
mxfp4.py, mxfp4_round_up_hidden_size_and_intermediate_size)."""
_PLAIN_TILES = {Kernel.TRITON: 1, Kernel.TENSORRT: 128}
"""What each kernel rounds the width of an expert in 16 bits up to (vllm/model_executor/layers/fused_moe/oracle/
unquantized.py, unquantized_round_up_hidden_size_and_intermediate_size)."""
_NVFP4_UNGATED, _NVFP4_WIDTH = 128, 256
"""The same of TensorRT-LLM's kernel for NVFP4: an expert's width without a gate, and the model's. CUTLASS's rounds the
former alike and leaves the latter (the function that GATED_NVFP4_ROWS names)."""
_MARLIN_UNIT, _MARLIN_TILE, _MARLIN_WIDE_TILE = 128, 64, 128
"""Marlin's kernel for NVFP4 rounds an expert's width up to the first tile if the model's width is a multiple of the
unit, and to the second if not (vllm/model_executor/layers/quantization/utils/marlin_utils_fp4.py,
prepare_nvfp4_moe_layer_for_marlin, read on 2026-11-29)."""
_INTEGER_TILES = {Kernel.HUMMING: 128, Kernel.MARLIN: MARLIN_ROWS}
"""What each kernel rounds the rows of experts in integers by groups, or in MXFP8, up to (vLLM's own code, asked for 96
and 192 rows)."""
_UNGATED_TILES = {Kernel.FLASHINFER: 128, Kernel.TRITON: 1}
"""What each kernel rounds the rows of fp8 experts without a gate up to (vLLM's own code, asked for Nemotron's 232 to
1,856; quantization/utils/flashinfer_utils.py, prepare_fp8_moe_layer_for_fi)."""
_FINEST_BLOCK = 32


def padded_experts(
    model: Model, kept: Plain | Quantised, width: int, tensor: int, kernels: Kernels
) -> tuple[float, Plain | Quantised]:
    """Rows of one expert on one GPU, of `tensor` that cut its width, with what the kernel of that format pads; and how
    they are stored there, since a shard that cuts a block or group of the checkpoint's has a finer one."""
    shard = width / tensor
    if isinstance(kept, Plain):
        return rounded_up(shard, _plain_tile(model, kernels)), kept
    nvfp4 = _nvfp4_tile(model, kept, kernels)
    if nvfp4 is not None:
        return rounded_up(shard, nvfp4), replace(kept, padded=True)
    tile = _tile(kept, shard, kernels, gated=model.gated_mlp)
    if tensor == 1:
        return rounded_up(shard, tile), kept
    block = kept.quantization.block
    if kept.form is WeightFormat.FP8 and block is not None:
        rows = shard if _common(block, shard, model) >= _FINEST_BLOCK else rounded_up(shard, block)
    else:
        rows = rounded_up(shard, tile)
    return rows, replace(kept, finer=_finer(model, kept, rows if kept.form is WeightFormat.FP8 else shard))


def padded_hidden(kept: Plain | Quantised, hidden: int, kernels: Kernels) -> float:
    """The model's width as its experts' kernel has it."""
    if isinstance(kept, Quantised) and kept.form is WeightFormat.MXFP4:
        return rounded_up(hidden, _MXFP4_TILES[kernels.mxfp4_experts][1])
    if _nvfp4_kernel(kept, kernels) is Kernel.TENSORRT:
        return rounded_up(hidden, _NVFP4_WIDTH)
    return hidden


def _nvfp4_kernel(kept: Plain | Quantised, kernels: Kernels) -> Kernel | None:
    """The kernel of experts in NVFP4; None: they are not (vllm/model_executor/layers/fused_moe/oracle/nvfp4.py)."""
    match kept.form if isinstance(kept, Quantised) else None:
        case WeightFormat.NVFP4:
            return kernels.nvfp4_experts
        case WeightFormat.NVFP4_A16:
            return kernels.nvfp4_a16_experts
        case _:
            return None


def _nvfp4_tile(model: Model, kept: Quantised, kernels: Kernels) -> int | None:
    """What these kernels round an expert's width up to; None: another one has the experts."""
    match _nvfp4_kernel(kept, kernels):
        case Kernel.TENSORRT | Kernel.CUTLASS:
            return GATED_NVFP4_ROWS if model.gated_mlp else _NVFP4_UNGATED
        case Kernel.MARLIN:
            return _MARLIN_WIDE_TILE if model.hidden_size % _MARLIN_UNIT else _MARLIN_TILE
        case _:
            return None


def _plain_tile(model: Model, kernels: Kernels) -> int:
    """TensorRT-LLM's kernel has few activations, and wants shares that sum to one: another pads nothing."""
    experts = model.experts
    taken = experts is not None and experts.renormalised and traits_of(model.architecture).silu_experts
    return _PLAIN_TILES[kernels.plain_experts if taken else Kernel.TRITON]


def _finer(model: Model, kept: Quantised, size: float) -> int | None:
    """The block or group of experts where a shard of `size` rows cuts the checkpoint's; None: the checkpoint's.

    vllm/model_executor/layers/fused_moe/oracle/fp8.py, quantization/moe_wna16.py.
    """
    block, group = kept.quantization.block, kept.quantization.group
    integer = kept.form in (WeightFormat.INT4, WeightFormat.INT8)
    if integer and group is not None and kept.quantization.finer_expert_groups:
        while size % group:
            group //= 2
        return group
    return None if block is None or size % block == 0 else _common(block, size, model)


def _common(block: int, size: float, model: Model) -> int:
    return gcd(block, int(size), model.hidden_size)


def _tile(kept: Quantised, shard: float, kernels: Kernels, *, gated: bool) -> int:
    match kept.form:
        case WeightFormat.FP8 if kernels.fp8_experts is Kernel.MARLIN:
            return lcm(MARLIN_ROWS, kept.quantization.block or 1)
        case WeightFormat.FP8 if not gated and kept.quantization.block is None:
            return _UNGATED_TILES[kernels.fp8_experts]
        case WeightFormat.MXFP4:
            return _MXFP4_TILES[kernels.mxfp4_experts][0]
        case WeightFormat.MXFP8:
            return _INTEGER_TILES[kernels.mxfp8_experts]
        case WeightFormat.INT4:
            return _integer_tile(kept, shard, kernels.integers)
        case WeightFormat.INT8 if kept.quantization.group is not None:
            return _integer_tile(kept, shard, kernels.integers)
        case _:
            return 1


def _integer_tile(kept: Quantised, shard: float, kernel: Kernel) -> int:
    """Marlin's kernel has whole groups alone, and leaves a shard that cuts one to Triton's, which pads nothing
    (fused_moe/oracle/int_wna16.py, _backend_incompatibility_reason)."""
    group = kept.quantization.group
    if kernel is not Kernel.MARLIN or group is None:
        return _INTEGER_TILES[kernel]
    return 1 if shard % group else lcm(_INTEGER_TILES[kernel], group)
