"""What vLLM's kernels make of a shard whose width they cannot take: they pad it, or refuse it.

Read in vLLM 0.33.0 for Hopper (capability 9.0); on other cards it is an extrapolation.
"""

from dataclasses import replace
from math import gcd

from catalog.model import Model, WeightFormat
from planning.stored import Plain, Quantised, rounded_up

_MXFP4_TILE = 64
"""vllm/model_executor/layers/fused_moe/oracle/mxfp4.py: the Triton kernel rounds an expert's width up to it."""
_INTEGER_TILE = 128
"""Rows of int4 experts are a multiple of it (vLLM's own code, asked for 96 and 192 rows)."""
_UNGATED_TILE = 128
"""Rows of fp8 experts without a gate are a multiple of it (vLLM's own code, asked for Nemotron's 232 to 1,856)."""
_FINEST_BLOCK = 32


def padded_experts(model: Model, kept: Plain | Quantised, width: int, tensor: int) -> tuple[float, Plain | Quantised]:
    """Rows of one expert on one GPU, of `tensor` that cut its width, with what the kernel of that format pads; and how
    they are stored there, since a shard that cuts a block or group of the checkpoint's has a finer one."""
    shard = width / tensor
    if isinstance(kept, Plain):
        return shard, kept
    if tensor == 1:
        return rounded_up(shard, _tile(kept, gated=model.gated_mlp)), kept
    block = kept.quantization.block
    if kept.form is WeightFormat.FP8 and block is not None:
        rows = shard if _common(block, shard, model) >= _FINEST_BLOCK else rounded_up(shard, block)
    else:
        rows = rounded_up(shard, _tile(kept, gated=model.gated_mlp))
    return rows, replace(kept, finer=_finer(model, kept, rows if kept.form is WeightFormat.FP8 else shard))


def _finer(model: Model, kept: Quantised, size: float) -> int | None:
    """The block or group of experts where a shard of `size` rows cuts the checkpoint's; None: the checkpoint's.

    vllm/model_executor/layers/fused_moe/oracle/fp8.py, quantization/moe_wna16.py.
    """
    block, group = kept.quantization.block, kept.quantization.group
    if kept.form is WeightFormat.INT4 and group is not None and kept.quantization.finer_expert_groups:
        while size % group:
            group //= 2
        return group
    return None if block is None or size % block == 0 else _common(block, size, model)


def _common(block: int, size: float, model: Model) -> int:
    return gcd(block, int(size), model.hidden_size)


def _tile(kept: Quantised, *, gated: bool) -> int:
    match kept.form:
        case WeightFormat.FP8 if not gated and kept.quantization.block is None:
            return _UNGATED_TILE
        case WeightFormat.MXFP4:
            return _MXFP4_TILE
        case WeightFormat.INT4:
            return _INTEGER_TILE
        case _:
            return 1
