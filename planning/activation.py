"""The peak of vLLM's profile run on one GPU, and what it sets aside for CUDA graphs."""

from catalog.engine import Runner
from catalog.model import MlaAttention, Model, SlidingAttention
from planning.engine import ServeSettings, capture_sizes
from planning.server import Server
from planning.weights import GIB, MIB, Sharding, Stage, embedding_bytes

_CUBLAS_WORKSPACE = 32 * MIB
"""Torch's cuBLAS workspace on Hopper, taken at the first matrix product, so inside the profile run."""
_TOP_P_ROWS = 132
"""Rows of the top-k/top-p kernel's buffer: one per multiprocessor."""


def peak_activation(server: Server, stage: Stage) -> float:
    """The peak of vLLM's profile run, a batch of `max_num_batched_tokens` and then the sampler.

    The larger of the forward pass, the sampler on the last stage, and torch.compile.
    """
    model, sharding, settings, engine = server.model, server.sharding, server.settings, server.engine
    tokens, hidden = settings.max_num_batched_tokens, settings.max_num_batched_tokens * model.hidden_size * 2
    experts = _expert_workspace(model, tokens, sharding)
    kept = experts + (0 if engine.libraries_before_snapshot else _CUBLAS_WORKSPACE)
    forward = kept + (2 + model.residual_streams) * hidden + _widest_layer(model, sharding, tokens, settings)
    sampler = 0.0
    if stage.last:
        rows = min(settings.max_num_seqs, tokens)
        copies = 1 if engine.profiles_flashinfer_sampler else 2
        sampler = kept + hidden + copies * rows * model.hidden_size * 2
        sampler += _sampler(server, rows)
    compile_peak = 0.0
    cached = settings.compile_cache and not engine.libraries_before_snapshot
    if stage.first and not settings.enforce_eager and not cached:
        compile_peak = embedding_bytes(model, sharding.tensor) + 2 * hidden
    encoder = _image_encoder(model, sharding, tokens) if stage.first else 0.0
    return max(forward, sampler, compile_peak, encoder)


def kept_beside_weights(server: Server, stage: Stage) -> float:
    """Bytes that a runner sets aside before its profile run, and keeps: 0.33's sampling state, tables and inputs."""
    if not server.engine.charges_v2_state:
        return 0.0
    settings = server.settings
    tables = settings.max_num_seqs * settings.max_model_len / settings.block_size * 4
    state = _sampling_state(server.model.vocabulary, settings.max_num_seqs) if stage.last else 0.0
    return state + tables + _INPUTS


_INPUTS = 0.02 * GIB
"""The bytes of the V2 runner's inputs in 0.33: beside sampling state and block tables it kept 0.01 to 0.06 GiB."""


def _sampler(server: Server, rows: int) -> float:
    """Logits are gathered whole on every rank, so nothing here is divided by TP."""
    vocabulary, engine = server.model.vocabulary, server.engine
    entry = rows * vocabulary
    if server.runner is Runner.V1:
        # 16-bit logits, their float32 copy, probabilities and exponential noise, and the top-p kernel's buffer.
        return entry * (2 + 4 + 4 + 4) + min(rows, _TOP_P_ROWS) * vocabulary * 4
    if engine.profiles_flashinfer_sampler:  # 14 bytes a logit, measured on H200 within 0.007 GiB
        return entry * (2 + 4 + 4 + 4)
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


def _expert_workspace(model: Model, tokens: int, sharding: Sharding) -> float:
    """The two buffers of the fused experts: they are kept, so they lie under the sampler's peak as well."""
    experts = model.experts
    if experts is None:
        return 0.0
    hidden = experts.latent_size or model.hidden_size
    size = experts.intermediate_size / (1 if sharding.expert_parallel else sharding.tensor)
    return tokens * experts.per_token * (max(size, hidden) + max(2 * size, hidden)) * 2


_FEED_FORWARD_WIDTHS = 4
"""Tensors of an encoder's width that are alive beside those of a feed-forward layer."""


def _image_encoder(model: Model, sharding: Sharding, tokens: int) -> float:
    """The profile run encodes as many images as a batch has room for, and keeps their embeddings."""
    if model.vision is None:
        return 0.0
    vision = model.vision
    images = max(1, tokens // vision.tokens_per_image)
    feed_forward = _FEED_FORWARD_WIDTHS * vision.hidden_size + 2 * vision.intermediate_size / sharding.tensor
    width = max(feed_forward, vision.widths_in_flight * vision.hidden_size)
    return images * (vision.patches_per_image * width + vision.tokens_per_image * model.hidden_size) * 2


# MiB of one layer in one captured graph, from the charges and sizes measured with 0.24: piecewise and full graphs of
# the V1 runner and what its first capture takes.
_V1_PIECEWISE, _V1_FULL, _V1_FIRST = 0.153 * MIB, 0.103 * MIB, 66 * MIB
# 0.33 charges one capture of all piecewise and of two full graphs, and the cost of the second for every other full one
# (vllm/v1/worker/gpu/cudagraph_utils.py). That cost was 2.4 MiB for 26 layers of 4 query heads, 6.5 for 32 of 32, 11.6
# for 62 of 32 and 22.0 for 64 of 64; the capture, 51 sizes, 19 MiB a layer of full attention and 13 of a window.
_FULL_GRAPH, _FULL_GRAPH_PER_HEAD = 1.9 * MIB, 0.0049 * MIB
_CAPTURE, _CAPTURE_OF_WINDOW, _MEASURED_SIZES = 19 * MIB, 13 * MIB, 51


def charged_graphs(server: Server, stage: Stage) -> float:
    """What vLLM sets aside for CUDA graphs. The V2 runner of 0.24 sets nothing aside, although it captures them."""
    model, sizes = server.model, capture_sizes(server.settings)
    full = sum(1 for size in sizes if size <= server.settings.max_num_seqs)
    if server.runner is Runner.V1:
        return _V1_FIRST + stage.total * (_V1_PIECEWISE * (len(sizes) - 1) + _V1_FULL * max(0, full - 1))
    if not server.engine.charges_v2_graphs:
        return 0.0
    windows = sum(
        layers
        for group, layers in zip(model.attention, stage.layers, strict=True)
        if isinstance(group, SlidingAttention)
    )
    capture = (stage.total - windows) * _CAPTURE + windows * _CAPTURE_OF_WINDOW
    heads = stage.total * model.attention_heads / server.sharding.tensor
    second = _FULL_GRAPH + heads * _FULL_GRAPH_PER_HEAD
    return capture * len(sizes) / _MEASURED_SIZES + max(0, full - 2) * second
