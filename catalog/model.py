"""What a model is made of: enough to count its weights tensor by tensor and its KV cache layer by layer.

An entry of the catalogue, the same fields in a stack file, or a Hugging Face `config.json` give the same type.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from catalog._entry import Entries, Entry

if TYPE_CHECKING:
    from catalog.recorded import Record

Count = Annotated[int, Field(gt=0)]


class WeightFormat(StrEnum):
    """How the weights of linear layers are stored; embeddings, norms and routers stay in the model's dtype."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"

    @property
    def bytes_per_weight(self) -> float:
        """Bytes of one weight with its share of the scales."""
        return _BYTES_PER_WEIGHT[self]

    @property
    def quantised(self) -> bool:
        return self not in (WeightFormat.BFLOAT16, WeightFormat.FLOAT16, WeightFormat.FLOAT32)


# Scales: fp8 one float32 per 128 x 128 block, int4 one 16-bit per 32 weights, mxfp4 one byte per 32, nvfp4 one per 16.
_BYTES_PER_WEIGHT = {
    WeightFormat.BFLOAT16: 2.0,
    WeightFormat.FLOAT16: 2.0,
    WeightFormat.FLOAT32: 4.0,
    WeightFormat.FP8: 1.0 + 4 / (128 * 128),
    WeightFormat.INT8: 1.0,
    WeightFormat.INT4: 0.5 + 2 / 32,
    WeightFormat.MXFP4: 0.5 + 1 / 32,
    WeightFormat.NVFP4: 0.5 + 1 / 16,
}


class QuantisedPart(StrEnum):
    """Which linear layers a quantised checkpoint stores in the small format."""

    LINEAR = "linear"
    EXPERTS = "experts"


class KvCacheDtype(StrEnum):
    """vLLM's `--kv-cache-dtype`; auto is the dtype of the activations."""

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


class Quantization(Entry):
    format: WeightFormat = Field(description="how the weights of linear layers are stored")
    covers: QuantisedPart = Field(
        default=QuantisedPart.LINEAR, description="all linear layers, or those of the experts alone"
    )
    block: Count | None = Field(default=None, description="rows that share a scale; shards must be a multiple of it")


class FullAttention(Entry):
    """Layers whose KV cache grows with the whole context."""

    kind: Literal["full"] = Field(default="full", description="attention over the whole context")
    layers: Count = Field(description="layers of this kind")
    key_value_heads: Count | None = Field(default=None, description="where it differs from the model's")
    head_dim: Count | None = Field(default=None, description="where it differs from the model's")
    rope_cache_tokens: Count | None = Field(
        default=None, description="positions of the rotary table, where that is not the context (linear scaling)"
    )


class SlidingAttention(Entry):
    """Layers that look back `window` tokens."""

    kind: Literal["sliding"] = Field(default="sliding", description="attention over a window")
    layers: Count = Field(description="layers of this kind")
    window: Count = Field(description="tokens that a layer looks back")
    key_value_heads: Count | None = Field(default=None, description="where it differs from the model's")
    head_dim: Count | None = Field(default=None, description="where it differs from the model's")
    own_rotary_table: bool = Field(default=False, description="its rotary base differs from that of the full layers")


class MlaAttention(Entry):
    """Multi-head latent attention: one compressed key and value per token, the same on every tensor-parallel rank."""

    kind: Literal["mla"] = Field(default="mla", description="multi-head latent attention")
    layers: Count = Field(description="layers of this kind")
    kv_lora_rank: Count = Field(description="width of the compressed key and value")
    qk_rope_head_dim: int = Field(ge=0, description="part of a head with rotary positions")
    qk_nope_head_dim: Count = Field(description="part of a head without")
    v_head_dim: Count = Field(description="width of a head's values")
    q_lora_rank: Count | None = Field(
        default=None, description="width of the compressed query; none: it is not compressed"
    )
    indexer_heads: int = Field(default=0, description="heads of the indexer of sparse attention; 0: there is none")
    indexer_head_dim: int = Field(default=0, description="width of one of them")
    indexer_bytes_per_token: int = Field(default=0, description="of one layer, beside the latent cache")


class LinearAttention(Entry):
    """Gated delta-rule layers: a state of constant size per sequence, no cache per token."""

    kind: Literal["linear"] = Field(default="linear", description="gated delta rule")
    layers: Count = Field(description="layers of this kind")
    key_heads: Count = Field(description="heads of the keys")
    value_heads: Count = Field(description="heads of the values")
    key_head_dim: Count = Field(description="width of a key")
    value_head_dim: Count = Field(description="width of a value")
    convolution: Count = Field(default=4, description="tokens that the convolution before it spans")
    state_bytes_per_element: int = Field(default=4, description="bytes of a number of the recurrent state")

    @property
    def state_bytes(self) -> int:
        """Bytes of one layer's state of one sequence, whole model."""
        key, value = self.key_heads * self.key_head_dim, self.value_heads * self.value_head_dim
        recurrent = self.value_heads * self.key_head_dim * self.value_head_dim * self.state_bytes_per_element
        return recurrent + (2 * key + value) * (self.convolution - 1) * 2


AttentionGroup = Annotated[
    FullAttention | SlidingAttention | MlaAttention | LinearAttention, Field(discriminator="kind")
]


class Experts(Entry):
    """The mixture-of-experts part; `dense_layers` come before it and use the model's own intermediate size."""

    count: Count = Field(description="routed experts of a layer")
    per_token: Count = Field(description="experts that one token goes through")
    intermediate_size: Count = Field(description="width of one expert")
    shared_intermediate_size: int = Field(default=0, ge=0, description="of all shared experts together")
    dense_layers: int = Field(default=0, ge=0, description="layers before the first one with experts")
    bias: bool = Field(default=False, description="the experts have biases")


class Vision(Entry):
    """The image encoder: its weights, and what one image takes to encode."""

    parameters: Count = Field(description="weights of the image encoder")
    hidden_size: Count = Field(description="the encoder's width")
    intermediate_size: Count = Field(description="width of the encoder's feed-forward layers")
    patches_per_image: Count = Field(description="that the encoder sees")
    tokens_per_image: Count = Field(description="that the language model sees")


class Model(Entry):
    """One checkpoint. `intermediate_size` None: the shape is not wholly known, weights follow from the checkpoint."""

    id: str = Field(description="Hugging Face model id")
    title: str | None = Field(default=None, description="for people")
    architecture: str = Field(description="the class that the checkpoint names, which decides vLLM's runner")
    hidden_size: Count = Field(description="width of the model")
    attention_heads: Count = Field(description="heads of the queries")
    key_value_heads: Count | None = Field(default=None, description="None with latent attention")
    head_dim: Count = Field(description="width of a head")
    attention: tuple[AttentionGroup, ...] = Field(
        min_length=1, description="groups of layers by their kind of attention"
    )
    intermediate_size: Count | None = Field(
        default=None, description="width of the feed-forward layers; none: not known, or all layers have experts"
    )
    gated_mlp: bool = Field(default=True, description="feed-forward layers have a gate projection")
    experts: Experts | None = Field(default=None, description="the mixture-of-experts part; none: there is none")
    mixture_of_experts: bool | None = Field(default=None, description="for a model whose experts are not known")
    attention_bias: bool = Field(default=False, description="bias on the query, key and value projections")
    output_bias: bool = Field(default=False, description="bias on the attention's output projection")
    query_key_norm: bool = Field(default=False, description="queries and keys are normalised")
    output_gate: bool = Field(default=False, description="the query projection has a gate of its own size")
    norms_per_layer: Count = Field(default=2, description="norms of the width of the model in each layer")
    tied_embeddings: bool = Field(default=False, description="input and output share their embeddings")
    vocabulary: Count = Field(description="tokens that there are")
    context: Count = Field(description="tokens; the longest that the model was made for")
    vision: Vision | None = Field(default=None, description="the image encoder; none: it reads text alone")
    checkpoint_gib: float | None = Field(default=None, gt=0, description="GiB of the weight files, where known")
    dtype: WeightFormat = Field(
        default=WeightFormat.BFLOAT16, description="of activations, and of weights that are not quantised"
    )
    quantization: Quantization | None = Field(default=None, description="how a quantised checkpoint is stored")
    gated: bool | None = Field(default=None, description="None: not known")
    licence: str | None = Field(default=None, description="the licence's name")
    minimum_vllm: str | None = Field(default=None, description="oldest vLLM that runs it")
    sources: tuple[str, ...] = Field(default=(), description="keys of the catalogue's sources, or addresses")
    note: str | None = Field(default=None, description="for whoever reads the entry")
    _said: "tuple[tuple[Record, ...], str]" = PrivateAttr(default=((), ""))

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.dtype.quantised:
            raise ValueError("dtype is that of the activations; name a quantised format in quantization.format")
        if self.key_value_heads is None and any(
            isinstance(g, FullAttention | SlidingAttention) for g in self.attention
        ):
            raise ValueError("keyValueHeads is missing")
        if self.key_value_heads is not None and self.attention_heads % self.key_value_heads:
            raise ValueError(
                f"{self.attention_heads} attentionHeads is no multiple of {self.key_value_heads} keyValueHeads"
            )
        if self.experts is not None and self.experts.dense_layers and self.intermediate_size is None:
            raise ValueError("experts.denseLayers needs intermediateSize")
        if self.experts is not None and self.experts.dense_layers > self.layers:
            raise ValueError(f"experts.denseLayers is more than the {self.layers} layers")
        if not self.counted and self.checkpoint_gib is None:
            raise ValueError("give intermediateSize or experts, or else checkpointGib")
        return self

    def __hash__(self) -> int:
        """Cheap, since plans are cached by model; equality compares everything."""
        return hash((self.id, self.architecture, self.hidden_size, self.vocabulary))

    def with_records(self, records: "tuple[Record, ...]") -> Self:
        """The same model, with what vLLM's own code said of the config.json that it was read from, of each release."""
        same = self.model_copy()
        same._said = (records, self.model_dump_json())
        return same

    @property
    def records(self) -> "tuple[Record, ...]":
        """What was said of exactly this model: a copy that was changed since has none."""
        records, of = self._said
        return records if records and of == self.model_dump_json() else ()

    @property
    def layers(self) -> int:
        return sum(group.layers for group in self.attention)

    @property
    def counted(self) -> bool:
        """Whether the weights can be counted tensor by tensor."""
        return self.experts is not None or (self.intermediate_size is not None and not self.mixture_of_experts)

    @property
    def is_moe(self) -> bool:
        return self.experts is not None or bool(self.mixture_of_experts)

    @property
    def weight_format(self) -> WeightFormat:
        return self.quantization.format if self.quantization else self.dtype

    @classmethod
    def from_hugging_face_config(cls, config: Mapping[str, Any], id: str) -> "Model":
        """The model that a `config.json` describes. Raises `UnreadableConfigError`, which names what is missing."""
        from catalog.hugging_face import model_from_config

        return model_from_config(config, id)


MODELS: Entries[Model] = Entries(Path(__file__).parent / "models", Model)
