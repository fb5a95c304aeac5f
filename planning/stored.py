"""How many bytes a matrix takes in each format: the weights, and the scales that lie beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from catalog.model import Model, Quantization, WeightFormat

Tensor = tuple[float, int]
"""Bytes of one tensor on one GPU, and how many there are of it."""

_WIDE_ZERO_POINT = 2
"""Bytes: the kernel that vLLM 0.33 takes on Hopper for awq's dense layers unpacks them."""

_NVFP4 = (WeightFormat.NVFP4, WeightFormat.NVFP4_A16)
_NVFP4_OUTPUTS, _NVFP4_INPUTS = 256, 128
"""The sides of a matrix, fused projections together, are multiples of these for Humming, the kernel of vLLM 0.33 on
Hopper (its own code, asked for Nemotron's 232 to 3,712 rows and hidden size of 2,688)."""

_MXFP4_ROWS, _MXFP4_SCALES = 256, 4
"""The scales of a matrix in MXFP4 are kept for a multiple of so many rows, and are a multiple of so many in each
(vllm/third_party/triton_kernels, hopper_scale.py; vLLM's own code, asked for gpt-oss on 2026-11-29)."""


def rounded_up(size: float, tile: int) -> float:
    return ceil(size / tile) * tile


@dataclass(frozen=True)
class Plain:
    """Matrices in the model's own dtype."""

    bytes_per_element: float

    def matrices(self, outputs: float, inputs: float, count: int, copies: int = 1) -> Iterator[Tensor]:
        """The tensors of `count` matrices; `copies` is how many experts one tensor holds."""
        yield (outputs * inputs * copies * self.bytes_per_element, count)


@dataclass(frozen=True)
class Quantised:
    """Matrices in a small format, with scales."""

    form: WeightFormat
    quantization: Quantization
    finer: int | None = None
    """A finer block or group than the checkpoint's; None: the checkpoint's own."""
    padded: bool = False
    """The sides are the kernel's already: nothing is rounded up any more."""
    marlin: bool = False
    """On Marlin's kernel, if the format is fp8, MXFP4 or an integer one: of fp8 it keeps a scale in 16 bits for each
    column of each block (vllm/model_executor/layers/quantization/utils/marlin_utils_fp8.py,
    prepare_fp8_layer_for_marlin), and zero points as small as the weights."""

    @property
    def bytes_per_element(self) -> float:
        return self.form.bytes_per_element

    def matrices(self, outputs: float, inputs: float, count: int, copies: int = 1) -> Iterator[Tensor]:
        """The weights as plain ones have them, and their scales as tensors of their own."""
        form, quantization = self.form, self.quantization
        if form in _NVFP4 and not self.padded:
            outputs, inputs = rounded_up(outputs, _NVFP4_OUTPUTS), rounded_up(inputs, _NVFP4_INPUTS)
        elements = outputs * inputs * copies
        yield (elements * form.bytes_per_element, count)
        match form:
            case WeightFormat.FP8 if self.marlin:
                block = self.finer or quantization.block
                yield (outputs * (1 if block is None else ceil(inputs / block)) * copies * 2, count)
            case WeightFormat.FP8 if quantization.block is not None:
                block = self.finer or quantization.block
                yield (ceil(outputs / block) * ceil(inputs / block) * copies * 4, count)
            case WeightFormat.INT4 | WeightFormat.INT8 if quantization.group is not None or form is WeightFormat.INT4:
                group = self.finer or quantization.group
                groups = 1 if group is None else ceil(inputs / group)
                yield (outputs * groups * copies * 2, count)
                if quantization.zero_points:
                    wide_zero = quantization.wide_zero_points and copies == 1 and not self.marlin
                    zero = _WIDE_ZERO_POINT if wide_zero else form.bytes_per_element
                    yield (outputs * groups * copies * zero, count)
            case WeightFormat.FP8 | WeightFormat.INT8:
                yield ((1 if quantization.one_scale else outputs) * copies * 4, count)
            case WeightFormat.NVFP4 | WeightFormat.NVFP4_A16:
                yield (elements / 16, count)
            case WeightFormat.MXFP4 if self.marlin:
                yield (elements / 32, count)
            case WeightFormat.MXFP4:
                yield (rounded_up(outputs, _MXFP4_ROWS) * rounded_up(inputs / 32, _MXFP4_SCALES) * copies, count)
            case WeightFormat.MXFP8:
                yield (elements / 32, count)
            case _:
                pass


def stored(model: Model, form: WeightFormat | None, *, marlin: bool = False) -> Plain | Quantised:
    """How matrices of that format are stored; None: of the model's own dtype."""
    if model.quantization is None or form is None:
        return Plain(model.dtype.bytes_per_element)
    return Quantised(form, model.quantization, marlin=marlin)
