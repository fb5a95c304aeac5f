"""Counts what a model's class sets aside with its weights for a whole batch, whatever the weights are.

Read in vLLM 0.33.0. Which kernel a release picks on which card stands in its entry.
"""

from catalog.engine import Kernel, Kernels
from catalog.model import KvCacheDtype, MlaAttention, Model
from planning.engine import ServeSettings
from planning.kv_cache import cache_dtype
from planning.stored import rounded_up
from planning.weights import MIB, Stage, allocated

_FLASHMLA_HEADS = 64
"""FlashMLA's prefill kernel takes a multiple of so many heads (vllm/v1/attention/backends/mla/flashmla_sparse.py)."""
_FLASHMLA_CONTEXTS = 5
_FLASHMLA_LONG_CONTEXTS = 2
"""The longest requests whose cache it holds in bfloat16; the second number beyond 256k tokens."""
_FEW_HEADS = 16
"""Up to so many of a rank, Blackwell leaves sparse attention to another kernel (vllm/platforms/cuda.py,
_get_backend_priorities)."""
_RAGGED_WIDTHS = (192, 64, 256)
"""Widths of a latent head without and with positions, and of its values, of which TensorRT-LLM's kernel has the
prefills (vllm/platforms/interface.py, get_mla_prefill_backend_cls)."""


def buffer_bytes(model: Model, stage: Stage, tensor: int, settings: ServeSettings, kernels: Kernels) -> float:
    """Bytes that a model's class sets aside with its weights for a whole batch, on one GPU of that stage."""
    batched_tokens = settings.max_num_batched_tokens
    total = 0.0
    if model.vision is not None and stage.first:
        total += model.vision.deepstack_levels * batched_tokens * model.hidden_size * 2
    latent = [group for group in model.attention if isinstance(group, MlaAttention)]
    if latent:
        total += kernels.latent_workspace_mib * MIB
        total += max(_workspace(model, group, tensor, settings, kernels) for group in latent)
    return total + sum(_indexer_buffers(model, group, stage, settings) for group in latent if group.indexer_heads)


def _workspace(model: Model, group: MlaAttention, tensor: int, settings: ServeSettings, kernels: Kernels) -> float:
    """Bytes of what latent attention's kernels share: the most that one of them asks for (vllm/v1/worker/workspace.py,
    WorkspaceManager)."""
    widths = (group.qk_nope_head_dim, group.qk_rope_head_dim, group.v_head_dim)
    prefill = kernels.ragged_prefill_mib * MIB if widths == _RAGGED_WIDTHS else 0.0
    if not group.indexer_heads or kernels.sparse is None:
        return prefill
    dtype = cache_dtype(model, settings.kv_cache_dtype, kernels)
    if dtype is KvCacheDtype.FP8_DS_MLA and kernels.sparse.packed is Kernel.FLASHMLA:
        return max(prefill, _unpacking(model, group, tensor, settings))
    if not dtype.quantised and kernels.sparse.plain is Kernel.FLASHMLA:
        return max(prefill, _queries(model, group, tensor, settings))
    return prefill


def _queries(model: Model, group: MlaAttention, tensor: int, settings: ServeSettings) -> float:
    """Bytes in which sparse attention joins the parts of a batch's queries."""
    heads = model.attention_heads // tensor
    if heads <= _FEW_HEADS:
        return 0.0
    row = group.kv_lora_rank + group.qk_rope_head_dim
    return 2 * settings.max_num_batched_tokens * rounded_up(heads, _FLASHMLA_HEADS) * row


def _unpacking(model: Model, group: MlaAttention, tensor: int, settings: ServeSettings) -> float:
    """Bytes in which sparse attention unpacks a packed cache for a prefill: requests, queries and results in
    bfloat16."""
    heads = model.attention_heads // tensor
    row = group.kv_lora_rank + group.qk_rope_head_dim
    contexts = _FLASHMLA_CONTEXTS if settings.max_model_len <= 256 * 1024 else _FLASHMLA_LONG_CONTEXTS
    padded = rounded_up(heads, _FLASHMLA_HEADS)
    per_token = heads * row + padded * (row + group.kv_lora_rank) + heads * group.kv_lora_rank
    return 2 * (contexts * settings.max_model_len * row + settings.max_num_batched_tokens * per_token)


def _indexer_buffers(model: Model, group: MlaAttention, stage: Stage, settings: ServeSettings) -> float:
    """Bytes of the tokens that indexers choose: for a whole batch, and for all that decode at once of each indexer and
    of the layers before the first (vllm/v1/attention/backends/mla/index_group.py). Drafts have their own of both."""
    drafts = model.draft_layers if settings.own_draft and stage.last else 0
    groups = group.indexers(stage.start, stage.start + stage.total) + drafts
    if not group.indexers(stage.start, stage.start + 1):
        groups += 1
    decoding = min(settings.max_num_batched_tokens, settings.max_num_seqs * (1 + settings.draft_tokens)) + 1
    whole = settings.max_num_batched_tokens * (1 + bool(drafts))
    return 4 * group.indexer_tokens * whole + groups * allocated(4 * group.indexer_tokens * decoding)
