"""What a model is made of: enough to count its weights tensor by tensor and its KV cache layer by layer.

An entry of the catalogue, the same fields in a stack file, or a Hugging Face `config.json` give the same type.
"""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from catalog._attention import (
    AttentionGroup,
    ChunkedAttention,
    FullAttention,
    HeadedAttention,
    LinearAttention,
    MlaAttention,
    NoAttention,
    RecordedAttention,
    SlidingAttention,
    Stateful,
    StateSpace,
)
from catalog._entry import Entries, Entry
from catalog._formats import (
    Count,
    KvCacheDtype,
    LinearPart,
    QuantisedPart,
    Quantization,
    StoredOtherwise,
    WeightFormat,
)
from catalog._record import Record

__all__ = [
    "MODELS",
    "AttentionGroup",
    "ChunkedAttention",
    "Experts",
    "FullAttention",
    "HeadedAttention",
    "KvCacheDtype",
    "LinearAttention",
    "LinearPart",
    "MlaAttention",
    "Model",
    "NoAttention",
    "QuantisedPart",
    "Quantization",
    "RecordedAttention",
    "SlidingAttention",
    "StateSpace",
    "Stateful",
    "StoredOtherwise",
    "Vision",
    "WeightFormat",
]


class Experts(Entry):
    """The mixture-of-experts part; layers without it use the model's own intermediate size."""

    count: Count = Field(description="routed experts of a layer")
    per_token: Count = Field(description="experts that one token goes through")
    intermediate_size: Count = Field(description="width of one expert")
    shared_intermediate_size: int = Field(default=0, ge=0, lt=2**63, description="of all shared experts together")
    shared_gate: bool = Field(default=False, description="a weight for each input decides the shared experts' share")
    latent_size: Count | None = Field(
        default=None, description="width that tokens are projected to before the experts; none: they are not"
    )
    dense_layers: int = Field(default=0, ge=0, lt=2**31, description="layers before the first one with experts")
    every: Count = Field(default=1, description="one layer in so many has experts, the last of each so many")
    layers: tuple[int, ...] | None = Field(
        default=None, description="numbers, from 0, of the layers with experts, where no rule gives them"
    )
    beside_dense: bool = Field(default=False, description="these layers have a dense feed-forward part as well")
    bias: bool = Field(default=False, description="the experts have biases")
    renormalised: bool = Field(
        default=True,
        description="the shares of the experts that a token goes through sum to one, or are of a sigmoid: some kernels "
        "take no others",
    )
    wide_router: bool = Field(default=False, description="the router's weights are kept in float32")


class Vision(Entry):
    """The image encoder: its weights, and what one image takes to encode."""

    parameters: int = Field(default=0, ge=0, lt=2**63, description="weights that tensor parallel cuts")
    whole_parameters: int = Field(default=0, ge=0, lt=2**63, description="weights that every rank holds whole")
    hidden_size: Count = Field(description="the encoder's width")
    intermediate_size: Count = Field(description="width of the encoder's feed-forward layers")
    patches_per_image: Count = Field(description="that the encoder sees of the largest image")
    tokens_per_image: Count = Field(description="that the language model sees of it")
    widths_in_flight: Count = Field(
        default=4, description="tensors of the encoder's width that one patch has at once, at the peak of an encoding"
    )
    deepstack_levels: int = Field(
        default=0, ge=0, description="inner layers whose embeddings are kept for a whole batch (deepstack)"
    )
    cut_sizes: tuple[int, ...] = Field(
        default=(), description="widths that tensor parallel cuts, and whose shards must be whole scale groups"
    )


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
    order: tuple[int, ...] | None = Field(
        default=None,
        description="which group each layer is of, by its number from 0, repeated to the last layer; "
        "none: kinds are spread evenly",
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
    residual_streams: Count = Field(
        default=1, description="copies of the hidden states between layers (hyper-connections)"
    )
    norms_per_layer: Count = Field(default=2, description="norms of the width of the model in each layer")
    draft_layers: int = Field(
        default=0, ge=0, description="layers for speculative decoding (MTP) in the checkpoint, loaded only if asked for"
    )
    tied_embeddings: bool = Field(default=False, description="input and output share their embeddings")
    vocabulary: Count = Field(description="tokens that there are")
    context: Count = Field(description="tokens; the longest that the model was made for")
    rotary: int | None = Field(
        default=None,
        ge=0,
        description="width of a head's rotary part in layers with keys and values; none: the whole head",
    )
    vision: Vision | None = Field(default=None, description="the image encoder; none: it reads text alone")
    checkpoint_gib: float | None = Field(default=None, gt=0, description="GiB of the weight files, where known")
    dtype: WeightFormat = Field(
        default=WeightFormat.BFLOAT16, description="of activations, and of weights that are not quantised"
    )
    quantization: Quantization | None = Field(default=None, description="how a quantised checkpoint is stored")
    minimum_vllm: str | None = Field(default=None, description="oldest vLLM that runs it")
    sources: tuple[str, ...] = Field(default=(), description="keys of the catalogue's sources, or addresses")
    note: str | None = Field(default=None, description="for whoever reads the entry")
    _said: tuple[tuple[Record, ...], str] = PrivateAttr(default=((), ""))

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.dtype.quantised:
            raise ValueError("dtype is that of the activations; name a quantised format in quantization.format")
        if self.key_value_heads is None and any(isinstance(g, HeadedAttention) for g in self.attention):
            raise ValueError("keyValueHeads is missing")
        if self.key_value_heads is not None and self.attention_heads % self.key_value_heads:
            raise ValueError(
                f"{self.attention_heads} attentionHeads is no multiple of {self.key_value_heads} keyValueHeads"
            )
        if self.experts is not None and self.experts.dense_layers and self.intermediate_size is None:
            raise ValueError("experts.denseLayers needs intermediateSize")
        if self.experts is not None and self.experts.dense_layers > self.layers:
            raise ValueError(f"experts.denseLayers is more than the {self.layers} layers")
        if self.order is not None and self._counts_of_order() != [group.layers for group in self.attention]:
            raise ValueError(f"order has {self._counts_of_order()} layers of each group, attention others")
        if not self.counted and not self.recorded_only and self.checkpoint_gib is None:
            raise ValueError("give intermediateSize or experts, or else checkpointGib")
        return self

    def __hash__(self) -> int:
        """Cheap, since plans are cached by model; equality compares everything."""
        return hash((self.id, self.architecture, self.hidden_size, self.vocabulary))

    def with_records(self, records: tuple[Record, ...]) -> Self:
        """The same model, with what vLLM's own code said of the config.json that it was read from, of each release."""
        same = self.model_copy()
        same._said = (records, self.model_dump_json())
        return same

    @property
    def records(self) -> tuple[Record, ...]:
        """What was said of exactly this model: a copy that was changed since has none."""
        records, of = self._said
        return records if records and of == self.model_dump_json() else ()

    def _counts_of_order(self) -> list[int]:
        kinds = self.layer_kinds
        return [kinds.count(index) for index in range(len(self.attention))]

    @property
    def layers(self) -> int:
        return sum(group.layers for group in self.attention)

    @cached_property
    def layer_kinds(self) -> tuple[int, ...]:
        """The number of the group of each layer, first to last."""
        total = self.layers
        if self.order:
            return tuple(self.order[layer % len(self.order)] for layer in range(total))
        largest = max(range(len(self.attention)), key=lambda index: self.attention[index].layers)
        kinds: list[int] = []
        for layer in range(total):
            due = [
                index
                for index, group in enumerate(self.attention)
                if index != largest and group.layers * (layer + 1) // total > kinds.count(index)
            ]
            kinds.append(due[0] if due else largest)
        # Two kinds that were due at once left one of them behind; the tail belongs to it.
        for index, group in enumerate(self.attention):
            while kinds.count(index) < group.layers:
                kinds[len(kinds) - 1 - kinds[::-1].index(largest)] = index
        return tuple(kinds)

    def feeds_forward(self, layer: int) -> bool:
        """Whether that layer, from 0, has a feed-forward part: some models have layers of it alone."""
        if not any(isinstance(group, NoAttention) for group in self.attention):
            return True
        return isinstance(self.attention[self.layer_kinds[layer]], NoAttention)

    def has_experts(self, layer: int) -> bool:
        """Whether the feed-forward part of that layer, from 0, is made of experts."""
        experts = self.experts
        if experts is None or not self.feeds_forward(layer):
            return False
        if experts.layers is not None:
            return layer in experts.layers
        return layer >= experts.dense_layers and (layer + 1) % experts.every == 0

    @property
    def recorded_only(self) -> bool:
        """Whether only shapes can be planned that vLLM's own code was asked about."""
        return any(isinstance(group, RecordedAttention) for group in self.attention)

    @property
    def counted(self) -> bool:
        """Whether the weights can be counted tensor by tensor."""
        return not self.recorded_only and self._shape_is_known

    @property
    def _shape_is_known(self) -> bool:
        return self.experts is not None or (self.intermediate_size is not None and not self.mixture_of_experts)

    @property
    def is_moe(self) -> bool:
        return self.experts is not None or bool(self.mixture_of_experts)

    def format_of(self, part: LinearPart, layer: int | None = None) -> WeightFormat | None:
        """How that part of that layer is stored, whose number is None outside of the layers; None: in the dtype."""
        return self.quantization.format_of(part, layer) if self.quantization else None

    def key_value_heads_of(self, group: HeadedAttention) -> int:
        """The heads of keys and values in layers of that group; as many as of queries where nothing is said of them."""
        return group.key_value_heads or self.key_value_heads or self.attention_heads

    @property
    def weight_format(self) -> WeightFormat:
        return self.quantization.format if self.quantization else self.dtype


MODELS: Entries[Model] = Entries(Path(__file__).parent / "models", Model)
