"""The mixture-of-experts part of a Hugging Face `config.json`: how many experts, how wide, and in which layers."""

from typing import Any

from catalog._config_attention import layers_of, nemotron_pattern
from catalog._config_reader import ConfigReader, whole_number
from catalog.model import Experts

_SHARED_GATE = {"qwen2_moe", "qwen3_next", "qwen3_5_moe_text"}


def experts_of(reader: ConfigReader) -> Experts | None:
    """The experts; None where all layers are dense. Raises UnreadableConfigError."""
    names = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
    count = next((value for name in names if (value := reader.get(name))), None)
    if not count or (reader.kind == "nemotron_h" and "E" not in nemotron_pattern(reader)):
        return None
    size = reader.get("moe_intermediate_size") or reader.integer("intermediate_size")
    return Experts(
        count=whole_number("number of experts", count),
        per_token=reader.integer("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk"),
        intermediate_size=whole_number("moe_intermediate_size", size),
        shared_intermediate_size=_shared(reader, whole_number("moe_intermediate_size", size)),
        shared_gate=reader.kind in _SHARED_GATE,
        latent_size=reader.get("moe_latent_size") or reader.get("routed_expert_hidden_size"),
        **_expert_layers(reader),
        beside_dense=reader.kind == "gemma4_text",
        bias=reader.kind == "gpt_oss",
        renormalised=_renormalised(reader),
        wide_router=_wide_router(reader),
    )


def _renormalised(reader: ConfigReader) -> bool:
    """TensorRT-LLM's kernel takes a sigmoid's shares as they are (trtllm_bf16_moe.py, _supports_routing_method)."""
    return reader.get("norm_topk_prob") is not False or reader.get("scoring_func") == "sigmoid"


def _wide_router(reader: ConfigReader) -> bool:
    """vLLM's minimax_m2.py and glm4_moe.py and mimo_v2.py (its class default)."""
    return reader.kind in {"minimax_m2", "mimo_v2_flash", "glm4_moe"}


def _shared(reader: ConfigReader, size: int) -> int:
    """Width of all shared experts together."""
    for name in ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", "shared_intermediate_size"):
        value = reader.get(name)
        if value is not None:
            return whole_number(name, value)
    if reader.kind == "llama4_text":
        return size
    shared = reader.get("n_shared_experts") or reader.get("num_shared_experts") or 0
    return whole_number("n_shared_experts", shared) * size


def _expert_layers(reader: ConfigReader) -> dict[str, Any]:
    """Which layers have experts: from which on and one in how many where that says it, else by their numbers."""
    layers = layers_of(reader)
    having = [layer for layer in range(layers) if _has_experts(reader, layer)]
    step = _step(reader)
    dense = having[0] if step == 1 and having else 0
    if having == [layer for layer in range(dense, layers) if (layer + 1) % step == 0]:
        return {"dense_layers": dense, "every": step}
    return {"layers": tuple(having)}


def _has_experts(reader: ConfigReader, layer: int) -> bool:
    if reader.kind == "nemotron_h":
        return "-" not in nemotron_pattern(reader) or nemotron_pattern(reader)[layer] == "E"
    if layer < reader.integer_or(0, "first_k_dense_replace"):
        return False
    frequency = reader.get("moe_layer_freq")
    if isinstance(frequency, list):
        return bool(reader.integers("moe_layer_freq")[layer])
    if frequency is not None and layer % whole_number("moe_layer_freq", frequency):
        return False  # vllm/model_executor/models/deepseek_v2.py
    if layer in reader.integers("mlp_only_layers"):
        return False
    return (layer + 1) % _step(reader) == 0


def _step(reader: ConfigReader) -> int:
    step = reader.get("decoder_sparse_step") or reader.get("interleave_moe_layer_step") or 1
    return whole_number("decoder_sparse_step", step)
