"""What a `config.json` says that this catalogue does not model: refused by its name, never left out in silence."""

from collections.abc import Mapping
from typing import Any, cast

from catalog._config_reader import ConfigReader, UnreadableConfigError
from catalog.architectures import MODELLED, ONLY_BY_CODE_OF_CHECKPOINT, UNKNOWN_TO_VLLM

_ADVICE = "describe the model by hand, with its checkpointGib"

# Keys that carry weights or another attention, and what they stand for. They are looked for in both parts.
_UNMODELLED = {
    "linear_attn_config": "linear (KDA) layers among latent ones",
    "attn_type_list": "several kinds of attention by number",
    "ngram_size": "a table of n-grams",
    "ngram_vocab_size_base": "a table of n-grams",
    "ple_embed_dim": "embeddings of each layer",
    "hidden_size_per_layer_input": "embeddings of each layer",
    "audio_config": "an audio encoder",
    "audio_processor": "an audio encoder",
    "embd_layer": "encoders of images and audio",
    "speech_lora": "a LoRA adapter in the checkpoint",
    "vision_lora": "a LoRA adapter in the checkpoint",
    "num_kv_shared_layers": "layers that share a KV cache",
    "is_encoder_decoder": "an encoder beside the decoder",
    "block_configs": "layers that differ by their own description",
    "per_layer_config": "layers that differ by their own description",
    "compress_ratios": "compressed KV caches",
    "sparse_attention_config": "sparse attention",
    "use_double_wide_mlp": "feed-forward layers of two widths",
    "hc_count": "hyper-connections",
    "hc_mult": "hyper-connections",
    "dual_chunk_attention_config": "attention in two kinds of chunks, of which vLLM 0.33 starts none,",
}
# State-space layers are modelled for the architectures that name them here alone.
_STATE_SPACE = {"mamba_d_state", "ssm_state_size", "state_size"}


def refuse_unmodelled(architecture: str, config: Mapping[str, Any], reader: ConfigReader) -> None:
    """Raises UnreadableConfigError, which names the architecture or the key."""
    if architecture in UNKNOWN_TO_VLLM:
        raise UnreadableConfigError(f"the architecture {architecture} is none that vLLM 0.33 has a class for")
    if architecture in ONLY_BY_CODE_OF_CHECKPOINT:
        raise UnreadableConfigError(
            f"the architecture {architecture} is not modelled: vLLM 0.33 reads it by code of the checkpoint alone "
            "(--trust-remote-code), which this platform does not run"
        )
    if architecture not in MODELLED:
        raise UnreadableConfigError(f"the architecture {architecture} is not modelled; {_ADVICE}")
    for key, what in _UNMODELLED.items():
        if _says_something(key, config.get(key)) or _says_something(key, reader.get(key)):
            raise UnreadableConfigError(f"{key}: {what} is not modelled; {_ADVICE}")
    if reader.get("is_causal") is False:
        raise UnreadableConfigError("is_causal: an encoder, whose tokens all see each other, is not modelled")
    if architecture != "NemotronHForCausalLM":
        for key in _STATE_SPACE:
            if reader.get(key):
                raise UnreadableConfigError(f"{key}: Mamba layers of {architecture} are not modelled; {_ADVICE}")
    if reader.get("attention_chunk_size") and not architecture.startswith(("Llama4", "MiMoV2")):
        raise UnreadableConfigError(f"attention_chunk_size: chunks in {architecture} are not modelled; {_ADVICE}")


def _says_something(key: str, value: Any) -> bool:
    if key == "attn_type_list" and isinstance(value, list):
        return any(kind != 1 for kind in cast(list[Any], value))
    return bool(value)
