"""Groups the layers' caches as vLLM's engine does, and says how the blocks of one request grow with its length.

A group's growth is described by a few numbers; that they say the same as vLLM's own code is tried at several lengths.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from inside.question import Unanswerable
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.v1 import kv_cache_interface as specs
from vllm.v1.attention.backends.utils import (
    get_supported_kv_cache_layouts,
    record_kv_cache_layout,
    resolve_kv_cache_layout,
)
from vllm.v1.core import kv_cache_planning
from vllm.v1.core.kv_cache_config_builder import get_kv_cache_config_builder
from vllm.v1.worker.worker_base import get_current_attn_backends

_ENOUGH = 4000 * 2**30
"""Bytes of memory for the cache, so that no model is refused for want of it."""
_TRIED_TOKENS = (1, 1000, 8192, 100_000)
_TRIED_BATCHES = (2048, 8192)

Group = dict[str, Any]


def describe(config: VllmConfig, stages: list[dict[str, Any]]) -> tuple[list[int], list[Group]]:
    """Bytes of one block of the pool on each stage, and the groups. `stages`: each layer's cache by its name."""
    if not any(stages):
        raise Unanswerable("the model has no cache")
    with set_current_vllm_config(config):
        backends = get_current_attn_backends(config)
        supported = [layout.name for layout in get_supported_kv_cache_layouts(backends)]
        layers = [spec for stage in stages for spec in stage.values()]
        record_kv_cache_layout(config.cache_config, resolve_kv_cache_layout(config, [supported], layers).name)
        groups = kv_cache_planning.get_global_kv_cache_groups(config, stages)
        per_stage = kv_cache_planning.get_kv_cache_configs(config, stages, [_ENOUGH] * len(stages), groups)
        builder = get_kv_cache_config_builder(config)
        block_bytes = [
            kv_cache_planning._pool_bytes_per_block_from_builder(builder, config, stage.kv_cache_groups)
            for stage in per_stage
        ]
        found = [group.kv_cache_spec for group in per_stage[0].kv_cache_groups]
        described = [_form(config, spec) for spec in found]
        for length, batch in _tried(config):
            with _served(config, length, batch):
                in_flight = config.max_in_flight_tokens
                theirs = [_blocks(config, spec) for spec in found]
            ours = [_grown(form, length, in_flight) for form in described]
            if theirs != ours:
                raise Unanswerable(f"{[type(spec).__name__ for spec in found]} at {length}: {theirs}, not {ours}")
    return block_bytes, _together(described)


def _form(config: VllmConfig, spec: Any) -> Group:
    if isinstance(spec, specs.UniformTypeKVCacheSpecs):
        return _form(config, next(iter(spec.kv_cache_specs.values())))
    if isinstance(spec, specs.MambaSpec | specs.CircularBufferSpec):
        return {"kind": "state", "tokens": spec.block_size, "blocks": _blocks(config, spec)}
    if isinstance(spec, specs.SlidingWindowSpec):
        window = spec.sliding_window + spec.extra_retained_tokens
        return {"kind": "sliding", "tokens": spec.block_size, "window": window}
    if isinstance(spec, specs.ChunkedLocalAttentionSpec):
        return {"kind": "chunked", "tokens": spec.block_size, "window": spec.attention_chunk_size}
    return {"kind": "full", "tokens": spec.block_size}


def _blocks(config: VllmConfig, spec: Any) -> int:
    """The blocks that vLLM counts for one request of the longest length that it serves."""
    if isinstance(spec, specs.UniformTypeKVCacheSpecs):
        return spec.max_memory_usage_pages(config)
    return ceil(spec.max_memory_usage_bytes(config) / spec.page_size_bytes)


def _grown(form: Group, length: int, in_flight: int) -> int:
    """The same by the numbers of the form."""
    if form["kind"] == "state":
        return form["blocks"]
    if form["kind"] == "sliding":
        return ceil(min(form["window"] - 1 + in_flight, length) / form["tokens"]) + 1
    if form["kind"] == "chunked":
        return ceil(min(form["window"] + in_flight, length) / form["tokens"])
    return ceil(length / form["tokens"])


def _tried(config: VllmConfig) -> Iterator[tuple[int, int]]:
    longest = config.model_config.max_model_len
    for length in sorted({min(length, longest) for length in (*_TRIED_TOKENS, longest)}):
        for batch in _TRIED_BATCHES:
            yield length, batch


@contextmanager
def _served(config: VllmConfig, length: int, batch: int) -> Iterator[None]:
    model, scheduler = config.model_config, config.scheduler_config
    before = model.max_model_len, scheduler.max_num_batched_tokens
    model.max_model_len, scheduler.max_num_batched_tokens = length, batch
    try:
        yield
    finally:
        model.max_model_len, scheduler.max_num_batched_tokens = before


def _together(groups: list[Group]) -> list[Group]:
    """Groups that are alike, once, with their number."""
    counted = Counter(tuple(group.items()) for group in groups)
    return [{**dict(items), "tables": count} for items, count in counted.items()]
