"""Kinds of attention, and of layers that do without it: groups of a model's layers."""

from typing import Annotated, Literal

from pydantic import Field

from catalog._entry import Entry
from catalog._formats import Count

Layers = Annotated[int, Field(gt=0, le=1000)]


class FullAttention(Entry):
    """Layers whose KV cache grows with the whole context."""

    kind: Literal["full"] = Field(default="full", description="attention over the whole context")
    layers: Layers = Field(description="layers of this kind")
    key_value_heads: Count | None = Field(default=None, description="where it differs from the model's")
    head_dim: Count | None = Field(default=None, description="where it differs from the model's")
    value_head_dim: Count | None = Field(default=None, description="where it differs from that of keys")
    rope_cache_tokens: Count | None = Field(
        default=None, description="positions of the rotary table, where that is not the context (linear scaling)"
    )


class SlidingAttention(Entry):
    """Layers that look back `window` tokens."""

    kind: Literal["sliding"] = Field(default="sliding", description="attention over a window")
    layers: Layers = Field(description="layers of this kind")
    window: Count = Field(description="tokens that a layer looks back")
    key_value_heads: Count | None = Field(default=None, description="where it differs from the model's")
    head_dim: Count | None = Field(default=None, description="where it differs from the model's")
    value_head_dim: Count | None = Field(default=None, description="where it differs from that of keys")
    own_rotary_table: bool = Field(default=False, description="its rotary base differs from that of the full layers")


class ChunkedAttention(Entry):
    """Layers that look back to the start of their chunk."""

    kind: Literal["chunked"] = Field(default="chunked", description="attention inside chunks of the context")
    layers: Layers = Field(description="layers of this kind")
    chunk: Count = Field(description="tokens of a chunk")
    key_value_heads: Count | None = Field(default=None, description="where it differs from the model's")
    head_dim: Count | None = Field(default=None, description="where it differs from the model's")


class MlaAttention(Entry):
    """Multi-head latent attention: one compressed key and value per token, the same on every tensor-parallel rank."""

    kind: Literal["mla"] = Field(default="mla", description="multi-head latent attention")
    layers: Layers = Field(description="layers of this kind")
    kv_lora_rank: Count = Field(description="width of the compressed key and value")
    qk_rope_head_dim: int = Field(ge=0, description="part of a head with rotary positions")
    qk_nope_head_dim: Count = Field(description="part of a head without")
    v_head_dim: Count = Field(description="width of a head's values")
    q_lora_rank: Count | None = Field(
        default=None, description="width of the compressed query; none: it is not compressed"
    )
    indexer_heads: int = Field(default=0, description="heads of the indexer of sparse attention; 0: there is none")
    indexer_head_dim: int = Field(default=0, description="width of one of them")
    indexer_tokens: int = Field(default=0, description="tokens that it picks for each query")
    indexer_layers: tuple[int, ...] | None = Field(
        default=None,
        description="numbers, from 0, of the layers that have the indexer; none: all, the others use one before them",
    )

    def indexers(self, start: int, end: int) -> int:
        """How many of the model's layers from `start` to before `end` keep keys of an indexer."""
        if not self.indexer_heads:
            return 0
        if self.indexer_layers is None:
            return end - start
        return sum(1 for layer in self.indexer_layers if start <= layer < end)


class LinearAttention(Entry):
    """Gated delta-rule layers: a state of constant size per sequence, no cache per token."""

    kind: Literal["linear"] = Field(default="linear", description="gated delta rule")
    layers: Layers = Field(description="layers of this kind")
    key_heads: Count = Field(description="heads of the keys")
    value_heads: Count = Field(description="heads of the values")
    key_head_dim: Count = Field(description="width of a key")
    value_head_dim: Count = Field(description="width of a value")
    convolution: Count = Field(default=4, description="tokens that the convolution before it spans")
    state_bytes_per_element: int = Field(default=4, description="bytes of a number of the recurrent state")

    @property
    def projected(self) -> int:
        """Channels that go through the convolution."""
        return 2 * self.key_heads * self.key_head_dim + self.value_heads * self.value_head_dim

    def state_bytes(self, draft_tokens: int = 0) -> int:
        """Bytes of one layer's state of one sequence, whole model; drafted tokens lengthen the convolution."""
        recurrent = self.value_heads * self.key_head_dim * self.value_head_dim * self.state_bytes_per_element
        return recurrent + self.projected * (self.convolution - 1 + draft_tokens) * 2


class StateSpace(Entry):
    """Mamba 2 layers: a state of constant size per sequence, no cache per token."""

    kind: Literal["stateSpace"] = Field(default="stateSpace", description="Mamba 2")
    layers: Layers = Field(description="layers of this kind")
    heads: Count = Field(description="heads of the state")
    head_dim: Count = Field(description="width of one of them")
    groups: Count = Field(description="groups of heads that share their projections")
    state: Count = Field(description="numbers that each channel remembers")
    convolution: Count = Field(default=4, description="tokens that the convolution before it spans")
    state_bytes_per_element: int = Field(default=4, description="bytes of a number of the state")

    @property
    def inner(self) -> int:
        return self.heads * self.head_dim

    @property
    def projected(self) -> int:
        """Channels that go through the convolution."""
        return self.inner + 2 * self.groups * self.state

    def state_bytes(self, draft_tokens: int = 0) -> int:
        """The bytes of one layer's state of one sequence, as for a linear layer."""
        recurrent = self.inner * self.state * self.state_bytes_per_element
        return recurrent + self.projected * (self.convolution - 1 + draft_tokens) * 2


class NoAttention(Entry):
    """Layers that are a feed-forward part alone; where a model has them, its other layers have none."""

    kind: Literal["none"] = Field(default="none", description="a feed-forward part alone")
    layers: Layers = Field(description="layers of this kind")


class RecordedAttention(Entry):
    """Layers that no formula of ours counts: all that is known of them is what vLLM's own code said of the model."""

    kind: Literal["recorded"] = Field(default="recorded", description="known from vLLM's own code alone")
    layers: Layers = Field(description="layers of this kind")


AttentionGroup = Annotated[
    FullAttention
    | SlidingAttention
    | ChunkedAttention
    | MlaAttention
    | LinearAttention
    | StateSpace
    | NoAttention
    | RecordedAttention,
    Field(discriminator="kind"),
]
HeadedAttention = FullAttention | SlidingAttention | ChunkedAttention
"""Keys and values by heads, one cache entry for each token."""
Stateful = LinearAttention | StateSpace
