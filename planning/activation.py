"""The peak of vLLM's profile run on one GPU, and what it sets aside for CUDA graphs."""

from catalog.model import Experts, MlaAttention, Model
from planning.engine import Engine, Runner, ServeSettings, capture_sizes
from planning.weights import MIB, Sharding, Stage, embedding_bytes

_CUBLAS_WORKSPACE = 32 * MIB
"""Torch's cuBLAS workspace on Hopper, taken at the first matrix product, so inside the profile run."""
_TOP_P_ROWS = 132
"""Rows of the top-k/top-p kernel's buffer: one per multiprocessor."""


def peak_activation(model: Model, sharding: Sharding, stage: Stage, settings: ServeSettings, engine: Engine) -> float:
    """The peak of vLLM's profile run, a batch of `max_num_batched_tokens` and then the sampler.

    The larger of the forward pass, the sampler on the last stage, and a cold torch.compile.
    """
    tokens, hidden = settings.max_num_batched_tokens, settings.max_num_batched_tokens * model.hidden_size * 2
    experts = _expert_workspace(model.experts, model.hidden_size, tokens, sharding) if model.experts else 0.0
    kept = experts + _CUBLAS_WORKSPACE
    forward = kept + 3 * hidden + _widest_layer(model, sharding, tokens, settings)
    sampler = 0.0
    if stage.last:
        rows = min(settings.max_num_seqs, tokens)
        sampler = kept + hidden + 2 * rows * model.hidden_size * 2 + _sampler(model.vocabulary, rows, engine, model)
    compile_peak = 0.0
    if stage.first and not settings.enforce_eager and not settings.compile_cache:
        compile_peak = embedding_bytes(model, sharding.tensor) + 2 * hidden
    encoder = _image_encoder(model, sharding, tokens) if stage.first else 0.0
    state = _sampling_state(model.vocabulary, settings.max_num_seqs) if engine.charges_v2_state and stage.last else 0.0
    return max(forward, sampler, compile_peak, encoder) + state


def _sampler(vocabulary: int, rows: int, engine: Engine, model: Model) -> float:
    """Logits are gathered whole on every rank, so nothing here is divided by TP."""
    entry = rows * vocabulary
    if engine.runner(model) is Runner.V1:
        # 16-bit logits, their float32 copy, probabilities and exponential noise, and the top-p kernel's buffer.
        return entry * (2 + 4 + 4 + 4) + min(rows, _TOP_P_ROWS) * vocabulary * 4
    if engine.charges_v2_state:  # profiles top-k and top-p too
        return entry * (2 + 4 + 4)
    return entry * (2 + 4)


def _sampling_state(vocabulary: int, max_num_seqs: int) -> float:
    """The V2 runner's penalty counters: one int32 per request and token, and one bit."""
    return max_num_seqs * vocabulary * (4 + 1 / 8)


def _widest_layer(model: Model, sharding: Sharding, tokens: int, settings: ServeSettings) -> float:
    """Bytes of the intermediate tensors of the widest layer, beside the hidden states."""
    widths: list[float] = []
    if model.intermediate_size is not None:
        widths.append((3 if model.gated_mlp else 2) * model.intermediate_size / sharding.tensor)
    if model.experts is not None:
        widths.append(3 * model.experts.shared_intermediate_size / sharding.tensor)
    query = model.attention_heads * model.head_dim / sharding.tensor
    widths.append(4 * query)
    widest = tokens * 2 * max(widths)
    latent = next((group for group in model.attention if isinstance(group, MlaAttention)), None)
    if latent is not None:
        # The profile run takes what a chunked prefill would expand to at most.
        heads = model.attention_heads / sharding.tensor
        per_head = latent.qk_nope_head_dim + latent.v_head_dim
        query_width = heads * (latent.qk_nope_head_dim + latent.qk_rope_head_dim + latent.v_head_dim)
        expanded = _chunked_prefill_tokens(settings) * heads * per_head * 2
        widest = max(widest, expanded + tokens * 2 * query_width)
    return widest


def _chunked_prefill_tokens(settings: ServeSettings) -> int:
    wanted = max(8 * settings.max_model_len, 4 * settings.max_num_seqs * settings.block_size)
    return max(min(wanted, 64 * 1024), settings.max_num_seqs * settings.block_size)


def _expert_workspace(experts: Experts, hidden: int, tokens: int, sharding: Sharding) -> float:
    """The two buffers of the fused experts: they are kept, so they lie under the sampler's peak as well."""
    size = experts.intermediate_size / (1 if sharding.expert_parallel else sharding.tensor)
    return tokens * experts.per_token * (max(size, hidden) + max(2 * size, hidden)) * 2


def _image_encoder(model: Model, sharding: Sharding, tokens: int) -> float:
    """The profile run encodes as many images as a batch has room for, and keeps their embeddings."""
    if model.vision is None:
        return 0.0
    vision = model.vision
    images = max(1, tokens // vision.tokens_per_image)
    width = 2 * vision.intermediate_size / sharding.tensor + 4 * vision.hidden_size
    return images * (vision.patches_per_image * width + vision.tokens_per_image * model.hidden_size) * 2


# MiB of one layer in one captured graph, from the charges and sizes measured with 0.24: piecewise and full graphs of
# the V1 runner and what its first capture takes, and either kind of the V2 runner.
_V1_PIECEWISE, _V1_FULL, _V1_FIRST = 0.153 * MIB, 0.103 * MIB, 66 * MIB
_V2_GRAPH = 0.30 * MIB


def charged_graphs(stage: Stage, settings: ServeSettings, engine: Engine, runner: Runner) -> float:
    """What vLLM sets aside for CUDA graphs. The V2 runner of 0.24 sets nothing aside, although it captures them."""
    sizes = capture_sizes(settings)
    full = sum(1 for size in sizes if size <= settings.max_num_seqs)
    if runner is Runner.V1:
        return _V1_FIRST + stage.total * (_V1_PIECEWISE * (len(sizes) - 1) + _V1_FULL * max(0, full - 1))
    return stage.total * _V2_GRAPH * (len(sizes) + full) if engine.charges_v2_graphs else 0.0
