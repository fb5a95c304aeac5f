"""How the numbers of a checkpoint and of its KV cache are stored."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from catalog._entry import Entry

Count = Annotated[int, Field(gt=0, lt=2**63)]


class WeightFormat(StrEnum):
    """How the weights of linear layers are stored; embeddings, norms and routers stay in the model's dtype."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FP8 = "fp8"
    MXFP8 = "mxfp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"
    NVFP4_A16 = "nvfp4_a16"
    """The same numbers, for weights alone: another kernel computes with activations in 16 bits."""

    @property
    def bytes_per_element(self) -> float:
        """Bytes of one weight without its scales."""
        return _BYTES[self]

    @property
    def quantised(self) -> bool:
        return self not in (WeightFormat.BFLOAT16, WeightFormat.FLOAT16, WeightFormat.FLOAT32)


_BYTES = {
    WeightFormat.BFLOAT16: 2.0,
    WeightFormat.FLOAT16: 2.0,
    WeightFormat.FLOAT32: 4.0,
    WeightFormat.FP8: 1.0,
    WeightFormat.MXFP8: 1.0,
    WeightFormat.INT8: 1.0,
    WeightFormat.INT4: 0.5,
    WeightFormat.MXFP4: 0.5,
    WeightFormat.NVFP4: 0.5,
    WeightFormat.NVFP4_A16: 0.5,
}


class QuantisedPart(StrEnum):
    """Which linear layers a quantised checkpoint stores in the small format."""

    LINEAR = "linear"
    EXPERTS = "experts"


class LinearPart(StrEnum):
    """The linear layers of a model that a checkpoint may store in different formats."""

    ATTENTION = "attention"
    """The projections into attention: queries, keys and values, or the latent ones."""
    LATENT_EXPANSION = "latentExpansion"
    """Latent attention's keys and values, made of what the cache holds."""
    ATTENTION_OUTPUT = "attentionOutput"
    INDEXER = "indexer"
    STATE = "state"
    """The projections into a linear or state-space layer."""
    STATE_OUTPUT = "stateOutput"
    DENSE = "dense"
    DENSE_OUTPUT = "denseOutput"
    EXPERTS = "experts"
    SHARED_EXPERTS = "sharedExperts"
    OUTPUT_EMBEDDING = "outputEmbedding"
    VISION = "vision"


_ONLY_IF_NAMED = frozenset({LinearPart.OUTPUT_EMBEDDING, LinearPart.VISION})
"""Parts that quantisation leaves alone unless a checkpoint says otherwise."""


class KvCacheDtype(StrEnum):
    """vLLM's `--kv-cache-dtype`; auto is the dtype of the activations, or what the checkpoint asks for."""

    AUTO = "auto"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FP8 = "fp8"
    FP8_E4M3 = "fp8_e4m3"
    FP8_E5M2 = "fp8_e5m2"
    FP8_DS_MLA = "fp8_ds_mla"

    @property
    def quantised(self) -> bool:
        return self.value.startswith("fp8")


class StoredOtherwise(Entry):
    """A part of the model that does not have the checkpoint's main format."""

    part: LinearPart = Field(description="which linear layers")
    format: WeightFormat | None = Field(default=None, description="none: the model's dtype")
    layers: tuple[int, ...] | None = Field(default=None, description="numbers of the layers, from 0; none: all")


class Quantization(Entry):
    format: WeightFormat = Field(description="how the weights of linear layers are stored")
    covers: QuantisedPart = Field(
        default=QuantisedPart.LINEAR, description="all linear layers, or those of the experts alone"
    )
    block: Count | None = Field(
        default=None, description="rows and columns that share a scale; shards must be a multiple of it"
    )
    group: Count | None = Field(
        default=None, description="inputs that share a scale of an integer format, none: all; shards must be a multiple"
    )
    behind_flag: bool = Field(
        default=False, description="vLLM 0.33 starts it with --allow-deprecated-quantization alone"
    )
    one_scale: bool = Field(default=False, description="fp8 has one scale a matrix, and not one a row")
    zero_points: bool = Field(default=False, description="an integer format has zero points beside its scales")
    wide_zero_points: bool = Field(
        default=False, description="those of dense layers are in 16 bits in memory, but on Marlin's kernel (awq)"
    )
    finer_expert_groups: bool = Field(
        default=False, description="a shard may cut a group of an expert, whose scale is then repeated (awq, gptq)"
    )
    whole_expert_blocks: bool = Field(
        default=False, description="a shard may cut no block of an expert in fp8 (compressed-tensors)"
    )
    only_on: frozenset[str] = Field(
        default=frozenset(),
        examples=["9.0"],
        description="the compute capabilities on whose cards vLLM serves it; empty: on all",
    )
    otherwise: tuple[StoredOtherwise, ...] = Field(
        default=(), description="parts in another format, or in the model's dtype; the last that names a part holds"
    )
    kv_cache: KvCacheDtype = Field(
        default=KvCacheDtype.AUTO, description="what vLLM takes for the cache unless it is told otherwise"
    )

    @model_validator(mode="after")
    def _units_fit_the_format(self) -> Self:
        formats = {self.format, *(other.format for other in self.otherwise)}
        if self.block is not None and WeightFormat.FP8 not in formats:
            raise ValueError(f"block belongs to fp8, not to {self.format}")
        if self.group is not None and not formats & {WeightFormat.INT4, WeightFormat.INT8}:
            raise ValueError(f"group belongs to int4 and int8; that of {self.format} is fixed")
        return self

    def format_of(self, part: LinearPart, layer: int | None = None) -> WeightFormat | None:
        """How that part of that layer is stored; None: in the model's dtype."""
        for other in reversed(self.otherwise):
            if other.part is part and (other.layers is None or layer in other.layers):
                return other.format
        if part in _ONLY_IF_NAMED:
            return None
        return self.format if self.covers is QuantisedPart.LINEAR or part is LinearPart.EXPERTS else None
