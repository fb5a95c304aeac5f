"""How vLLM cuts the KV cache into blocks: what a token, a block and a request take on one GPU."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from catalog.model import (
    AttentionGroup,
    FullAttention,
    KvCacheDtype,
    LinearAttention,
    MlaAttention,
    Model,
    SlidingAttention,
)
from planning.weights import Stage, key_value_heads, stages_of

_FP8_DS_MLA = 656
"""Bytes of one token and layer: 512 in fp8, 16 of scales, 64 rotary ones in bfloat16."""
_STATE_BLOCKS = 2
"""Blocks of a linear layer's state that one request holds: its own and the one that prefix caching keeps."""


@dataclass(frozen=True)
class BlockGroup:
    """Layers of one kind that share a block table; `tables` of them, each with its own blocks."""

    tables: int
    tokens_per_block: int
    window: int | None = None
    constant_blocks: int | None = None
    chunked: bool = False
    """The window is a chunk, which starts anew at each of its multiples."""

    def blocks(self, length: int, in_flight: int) -> int:
        """Blocks that one request of `length` tokens may hold while `in_flight` tokens are being computed."""
        if self.constant_blocks is not None:
            return self.tables * self.constant_blocks
        if self.window is None:
            return self.tables * ceil(length / self.tokens_per_block)
        if self.chunked:
            return self.tables * ceil(min(self.window + in_flight, length) / self.tokens_per_block)
        held = min(self.window - 1 + in_flight, length)
        return self.tables * (ceil(held / self.tokens_per_block) + 1)


@dataclass(frozen=True)
class KvLayout:
    """The block pool of one GPU of one pipeline stage. `block_bytes` is the same for every group, as in vLLM."""

    block_bytes: int
    groups: tuple[BlockGroup, ...]

    def blocks(self, length: int, in_flight: int) -> int:
        return sum(group.blocks(length, in_flight) for group in self.groups)

    def longest(self, blocks: int, in_flight: int, at_most: int) -> int:
        """The longest request that `blocks` hold, in tokens, up to `at_most`; 0 if none does."""
        low, high = 0, at_most
        while low < high:
            middle = (low + high + 1) // 2
            if self.blocks(middle, in_flight) <= blocks:
                low = middle
            else:
                high = middle - 1
        return low


@lru_cache(maxsize=65536)
def kv_layout(model: Model, dtype: KvCacheDtype, block_size: int, tensor: int, pipeline: int, stage: Stage) -> KvLayout:
    """The layout on one GPU. Several kinds of layers are cut into groups of as many layers as the rarest kind has."""
    per_token = [_bytes_per_token(model, group, dtype, tensor) for group in model.attention]
    if len(model.attention) == 1 and not isinstance(model.attention[0], LinearAttention):
        return KvLayout(
            block_bytes=block_size * per_token[0] * stage.total,
            groups=(_group(model.attention[0], 1, block_size),),
        )
    tokens, page = _page(model, per_token, block_size, tensor)
    size = _group_size([group.layers for group in model.attention])
    tables = [ceil(group.layers / size) for group in model.attention]
    # A stage has its share of each group's layers, and every group reserves as many slots as the fullest one.
    slots = max(ceil(layers / count) for layers, count in zip(stage.layers, tables, strict=True))
    if pipeline == 1:
        slots = size
    groups = tuple(
        _group(group, count, block) for group, count, block in zip(model.attention, tables, tokens, strict=True)
    )
    return KvLayout(block_bytes=page * slots, groups=groups)


def bytes_per_token(model: Model, dtype: KvCacheDtype, tensor: int, pipeline: int = 1) -> int:
    """Bytes that one more token of a long context takes on one GPU of the fullest stage."""
    growing = (FullAttention, MlaAttention)
    return max(
        sum(
            layers * _bytes_per_token(model, group, dtype, tensor)
            for group, layers in zip(model.attention, stage.layers, strict=True)
            if isinstance(group, growing)
        )
        for stage in stages_of(model, pipeline)
    )


def _group(attention: AttentionGroup, tables: int, tokens_per_block: int) -> BlockGroup:
    match attention:
        case SlidingAttention():
            return BlockGroup(tables, tokens_per_block, window=attention.window)
        case LinearAttention():
            return BlockGroup(tables, tokens_per_block, constant_blocks=_STATE_BLOCKS)
        case FullAttention() | MlaAttention():
            return BlockGroup(tables, tokens_per_block)


def _group_size(layers: list[int]) -> int:
    """Layers of a group: those of the rarest kind, or of the commonest if that has less than half as many again."""
    return max(layers) if max(layers) < min(layers) * 1.5 else min(layers)


def _page(model: Model, per_token: list[int], block_size: int, tensor: int) -> tuple[list[int], int]:
    """Tokens of a block for each kind, and the bytes of one layer's block, made the same for all kinds."""
    widest = max(per_token)
    states = [ceil(g.state_bytes / tensor) for g in model.attention if isinstance(g, LinearAttention)]
    if states and widest:  # a block of attention becomes as large as a state
        block_size = max(block_size, ceil(ceil(max(states) / widest) / block_size) * block_size)
    page = max([block_size * widest, *states])
    return [block_size if not size else block_size * max(1, widest // size) for size in per_token], page


def _bytes_per_token(model: Model, group: AttentionGroup, dtype: KvCacheDtype, tensor: int) -> int:
    """Bytes of one token in one layer on one GPU."""
    width = 1 if dtype.quantised else 2
    match group:
        case FullAttention() | SlidingAttention():
            return 2 * key_value_heads(model, group, tensor) * (group.head_dim or model.head_dim) * width
        case MlaAttention():
            latent = (group.kv_lora_rank + group.qk_rope_head_dim) * width
            packed = dtype is KvCacheDtype.FP8_DS_MLA
            return (_FP8_DS_MLA if packed else latent) + group.indexer_bytes_per_token
        case LinearAttention():
            return 0
