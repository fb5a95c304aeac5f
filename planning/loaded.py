"""What a plan says of a model beside its numbers: flags that vLLM needs, and what a kernel may take more."""

from collections.abc import Iterator

from catalog.architectures import traits_of
from catalog.model import LinearPart, Model, WeightFormat
from planning.engine import ServeSettings
from planning.shape import GpuNode

_TIGHT_GIB = 100.0
"""On larger cards what a kernel pads does not decide whether a model starts."""


def shape_warnings(model: Model, node: GpuNode, settings: ServeSettings) -> tuple[str, ...]:
    """What whoever starts the server should know."""
    return tuple(_warnings(model, node, settings))


def _warnings(model: Model, node: GpuNode, settings: ServeSettings) -> Iterator[str]:
    if traits_of(model.architecture).code_of_checkpoint:
        yield (
            f"vLLM 0.33 and transformers have no class for the config of {model.architecture}: the server ends at its "
            "start without --trust-remote-code, which this platform does not pass; serve a checkpoint in transformers' "
            "own format"
        )
    if settings.fewer_sequences:
        yield (
            f"max_num_seqs {settings.max_num_seqs}: vLLM ends at its start if more sequences may decode than there are "
            "blocks for their states"
        )
    form = model.format_of(LinearPart.EXPERTS, 0) if model.experts else None
    if form is WeightFormat.MXFP4 and node.card.torch_gib < _TIGHT_GIB:
        yield (
            "experts in MXFP4 are counted as vLLM 0.33's Triton kernel lays them out; other kernels pad them, and "
            "older releases held 3.5 to 5 GiB more of gpt-oss-120b on one GPU (vLLM issues 33155, 23278)"
        )
    if model.quantization is not None and model.quantization.behind_flag:
        yield "vLLM 0.33 starts this format only with --allow-deprecated-quantization among the server's arguments"
