"""How vLLM cuts the KV cache into blocks: what a token, a block and a request take on one GPU."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, lcm

from catalog.architectures import traits_of
from catalog.engine import HOPPER, Kernels, StateRules
from catalog.model import (
    AttentionGroup,
    ChunkedAttention,
    FullAttention,
    HeadedAttention,
    KvCacheDtype,
    LinearAttention,
    MlaAttention,
    Model,
    NoAttention,
    SlidingAttention,
    Stateful,
)
from planning.layers import draft_group, key_value_heads
from planning.weights import Stage, stages_of

_FP8_DS_MLA = 656
"""Bytes of one token and layer: 512 in fp8, 16 of scales, 64 rotary ones in bfloat16."""
_INDEXER_BLOCK = 64
"""Tokens of a block where a latent cache has an indexer."""
_WIDEST_FLASH_HEAD = 256
_IMAGE_HEADS = (256, 512)
"""Widths of heads that Blackwell's kernel for images takes (vllm/v1/attention/backends/triton_flashinfer.py)."""
_INDEXER_SCALE = 4
"""Bytes of the scale beside an indexer's key in fp8 (vllm/model_executor/models/deepseek_v2.py, Indexer)."""


@dataclass(frozen=True)
class CacheSettings:
    """What decides the layout beside the model and its shards."""

    block_size: int
    states: StateRules
    dtype: KvCacheDtype = KvCacheDtype.AUTO
    draft_tokens: int = 0
    draft_layers: int = 0
    draft_bytes_per_token: int = 0
    """On one GPU, of a draft model's own layers, all of which see the whole context."""
    kernels: Kernels = HOPPER
    """What the release picks on the card."""

    def of(self, model: Model) -> KvCacheDtype:
        """The dtype that vLLM takes."""
        return cache_dtype(model, self.dtype, self.kernels)


def cache_dtype(model: Model, asked: KvCacheDtype, kernels: Kernels) -> KvCacheDtype:
    """The dtype that vLLM takes: for `auto` what the class takes on that card or the checkpoint asks for."""
    if asked is KvCacheDtype.AUTO and model.architecture in kernels.fp8_cache_unasked:
        asked = KvCacheDtype.FP8_E4M3
    if is_sparse(model) and asked in kernels.packed_caches:
        return KvCacheDtype.FP8_DS_MLA
    if asked is KvCacheDtype.AUTO and model.quantization is not None:
        return model.quantization.kv_cache
    return asked


def no_fp8_cache(model: Model, kernels: Kernels) -> str | None:
    """The attention of the model whose cache cannot be in fp8 on that card; None: it can."""
    if "sinks" in kernels.no_fp8_cache and traits_of(model.architecture).sinks:
        return "attention with sinks"
    for group in model.attention:
        match group:
            case MlaAttention() if "latent" in kernels.no_fp8_cache:
                return "latent attention"
            case FullAttention() | SlidingAttention() | ChunkedAttention():
                width = group.head_dim or model.head_dim
                if "wide" in kernels.no_fp8_cache and width > _WIDEST_FLASH_HEAD:
                    return f"heads {width} wide"
                values = None if isinstance(group, ChunkedAttention) else group.value_head_dim
                if "uneven" in kernels.no_fp8_cache and values not in (None, width):
                    return f"keys {width} and values {values} wide"
            case _:
                pass
    return None


def is_sparse(model: Model) -> bool:
    """Whether its latent attention has indexers."""
    return any(isinstance(group, MlaAttention) and group.indexer_heads for group in model.attention)


@dataclass(frozen=True)
class BlockGroup:
    """Layers of one kind that share a block table; `tables` of them, each with its own blocks."""

    tables: int
    tokens_per_block: int
    window: int | None = None
    chunk: int | None = None
    """Starts again at each of its multiples."""
    constant_blocks: int | None = None

    def blocks(self, length: int, in_flight: int) -> int:
        """Blocks that one request of `length` tokens may hold while `in_flight` tokens are being computed."""
        if self.constant_blocks is not None:
            return self.tables * self.constant_blocks
        if self.chunk is not None:
            return self.tables * ceil(min(self.chunk + in_flight, length) / self.tokens_per_block)
        if self.window is None:
            return self.tables * ceil(length / self.tokens_per_block)
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


@dataclass(frozen=True)
class _Kind:
    """Layers of one group of the model that keep something, whole model and this stage."""

    attention: AttentionGroup
    total: int
    here: int
    per_token: int
    """Bytes of one layer, without an indexer's."""
    indexer: int = 0
    """Bytes of a token of all indexers of the stage: a key in fp8 and its scale, whatever the cache's dtype."""


@lru_cache(maxsize=65536)
def kv_layout(model: Model, cache: CacheSettings, tensor: int, pipeline: int, stage: Stage) -> KvLayout:
    """The layout on one GPU. Several kinds of layers are cut into groups of as many layers as the rarest kind has."""
    kinds = _kinds(model, cache, tensor, stage)
    if len(kinds) == 1 and not isinstance(kinds[0].attention, Stateful):
        tokens = _block_of(model, cache)
        size = (
            kinds[0].per_token * kinds[0].here + kinds[0].indexer + (cache.draft_bytes_per_token if stage.last else 0)
        )
        return KvLayout(block_bytes=tokens * size, groups=(_group(kinds[0], cache, 1, tokens),))
    tokens, page = _page(model, cache, kinds, tensor)
    size = _group_size([kind.total for kind in kinds])
    tables = [ceil(kind.total / size) for kind in kinds]
    # A stage has its share of each group's layers, and every group reserves as many slots as the fullest one.
    slots = size if pipeline == 1 else max(ceil(k.here / count) for k, count in zip(kinds, tables, strict=True))
    groups = tuple(_group(kind, cache, count, block) for kind, count, block in zip(kinds, tables, tokens, strict=True))
    # vLLM lays a draft model's layers into groups of their own; together they take what its tokens do.
    full = max((g.tokens_per_block for g in groups if g.window is None and g.constant_blocks is None), default=0)
    beside = cache.draft_bytes_per_token * full if stage.last else 0
    return KvLayout(block_bytes=page * slots + beside, groups=groups)


def _kinds(model: Model, cache: CacheSettings, tensor: int, stage: Stage) -> list[_Kind]:
    """Draft layers are full attention like the model's own, on the last stage."""
    draft = draft_group(model) if cache.draft_layers else -1
    kinds: list[_Kind] = []
    for index, (group, here) in enumerate(zip(model.attention, stage.layers, strict=True)):
        if isinstance(group, NoAttention):
            continue
        more = cache.draft_layers if index == draft else 0
        per_token = _bytes_per_token(model, group, cache.of(model), tensor)
        added = more if stage.last else 0
        kinds.append(_Kind(group, group.layers + more, here + added, per_token, _indexer_bytes(group, stage, added)))
    return kinds


def bytes_per_token(model: Model, dtype: KvCacheDtype, tensor: int, pipeline: int = 1) -> int:
    """Bytes that one more token of a long context takes on one GPU of the fullest stage."""
    # Neither the size of a block nor the states decide what a token takes.
    cache = CacheSettings(block_size=1, states=StateRules(blocks=1, alignment=1), dtype=dtype)
    return max(
        sum(
            kind.here * kind.per_token + kind.indexer
            for kind in _kinds(model, cache, tensor, stage)
            if isinstance(kind.attention, FullAttention | MlaAttention)
        )
        for stage in stages_of(model, pipeline)
    )


def _block_of(model: Model, cache: CacheSettings) -> int:
    """Tokens of a block before states or other kinds make it larger."""
    return max(cache.block_size, *(_least_block(model, group, cache) for group in model.attention))


def _least_block(model: Model, group: AttentionGroup, cache: CacheSettings) -> int:
    """Tokens of the smallest block that the kernel of that group takes."""
    quantised = cache.of(model).quantised
    match group:
        case MlaAttention():
            if group.indexer_heads:
                return _INDEXER_BLOCK
            return cache.kernels.latent_block_quantised if quantised else cache.kernels.latent_block
        case FullAttention() | SlidingAttention() | ChunkedAttention():
            if quantised and (group.head_dim or 0) > _WIDEST_FLASH_HEAD:
                return cache.kernels.wide_block_quantised
            ahead = traits_of(model.architecture).images_see_ahead
            return cache.kernels.image_block if ahead and (group.head_dim or model.head_dim) in _IMAGE_HEADS else 1
        case _:
            return 1


def _indexer_bytes(group: AttentionGroup, stage: Stage, draft_layers: int) -> int:
    if not isinstance(group, MlaAttention) or not group.indexer_heads:
        return 0
    indexers = group.indexers(stage.start, stage.start + stage.total) + draft_layers
    return indexers * (group.indexer_head_dim + _INDEXER_SCALE)


def _group(kind: _Kind, cache: CacheSettings, tables: int, tokens_per_block: int) -> BlockGroup:
    match kind.attention:
        case SlidingAttention():
            return BlockGroup(tables, tokens_per_block, window=kind.attention.window)
        case ChunkedAttention():
            return BlockGroup(tables, tokens_per_block, chunk=kind.attention.chunk)
        case _ if isinstance(kind.attention, Stateful):
            blocks = cache.states.blocks_of(linear=isinstance(kind.attention, LinearAttention))
            return BlockGroup(tables, tokens_per_block, constant_blocks=blocks + cache.draft_tokens)
        case _:
            return BlockGroup(tables, tokens_per_block)


def _group_size(layers: list[int]) -> int:
    """Layers of a group: those of the rarest kind, or of the commonest if that has less than half as many again."""
    return max(layers) if max(layers) < min(layers) * 1.5 else min(layers)


def _page(model: Model, cache: CacheSettings, kinds: list[_Kind], tensor: int) -> tuple[list[int], int]:
    """Tokens of a block for each kind, and the bytes of one layer's block, made the same for all kinds."""
    widest = max(kind.per_token for kind in kinds)
    states = [
        ceil(kind.attention.state_bytes(cache.draft_tokens) / tensor)
        for kind in kinds
        if isinstance(kind.attention, Stateful)
    ]
    block_size = _block_of(model, cache)
    if states and widest:  # a block of attention becomes as large as a state
        linear = any(isinstance(kind.attention, LinearAttention) for kind in kinds)
        unit = lcm(block_size, cache.states.alignment if linear else 1)
        block_size = max(block_size, ceil(ceil(max(states) / widest) / unit) * unit)
    page = max([block_size * widest, *states])
    blocks = [block_size if not kind.per_token else block_size * max(1, widest // kind.per_token) for kind in kinds]
    return blocks, page


def _bytes_per_token(model: Model, group: AttentionGroup, dtype: KvCacheDtype, tensor: int) -> int:
    """Bytes of one token in one layer on one GPU, without an indexer's."""
    width = 1 if dtype.quantised else 2
    match group:
        case FullAttention() | SlidingAttention() | ChunkedAttention():
            return key_value_heads(model, group, tensor) * _key_and_value(model, group) * width
        case MlaAttention():
            latent = (group.kv_lora_rank + group.qk_rope_head_dim) * width
            return _FP8_DS_MLA if dtype is KvCacheDtype.FP8_DS_MLA else latent
        case _:
            return 0


def _key_and_value(model: Model, group: HeadedAttention) -> int:
    """Numbers of a head's key and value."""
    head = group.head_dim or model.head_dim
    value = None if isinstance(group, ChunkedAttention) else group.value_head_dim
    return head + (value or head)
