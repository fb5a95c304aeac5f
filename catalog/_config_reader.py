"""Fields of a Hugging Face `config.json`, with what the transformers classes assume where a file is silent."""

from collections.abc import Mapping
from typing import Any, cast

from catalog._formats import WeightFormat

Config = Mapping[str, Any]


class UnreadableConfigError(ValueError):
    """A config.json does not say enough, or describes something that is not modelled; one line says what."""


# What the transformers classes assume when the file is silent (transformers 5.24.0).
_GEMMA3 = {
    "vocab_size": 262208,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
}
_GPT_OSS = {
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "head_dim": 64,
    "vocab_size": 201088,
}
_MISTRAL = {"num_key_value_heads": 8, "sliding_window": 4096}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "mistral": _MISTRAL,
    "ministral3": {"num_key_value_heads": 8},
    "mixtral": {"num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2},
    "seed_oss": {"num_key_value_heads": 8, "head_dim": 128, "attention_bias": True},
    "glm4": {"num_key_value_heads": 2, "head_dim": 128, "attention_bias": True},
    "glm4_moe": {"num_key_value_heads": 8, "n_shared_experts": 1, "first_k_dense_replace": 1},
    "gemma": {"num_key_value_heads": 16, "head_dim": 256, "tie_word_embeddings": True},
    "gemma2": {"num_key_value_heads": 4, "head_dim": 256, "tie_word_embeddings": True, "sliding_window": 4096},
    "gemma3": _GEMMA3,
    "gemma3_text": _GEMMA3,
    "gemma4_text": {**_GEMMA3, "vocab_size": 262144, "sliding_window": 512},
    "gpt_oss": {**_GPT_OSS, "num_key_value_heads": 8, "max_position_embeddings": 131072},
    "qwen2": {"num_key_value_heads": 32},
    "qwen2_moe": {"num_key_value_heads": 16, "shared_expert_intermediate_size": 5632, "norm_topk_prob": False},
    "qwen3": {"num_key_value_heads": 32, "head_dim": 128},
    "qwen3_moe": {"num_key_value_heads": 4, "norm_topk_prob": False},
    "qwen3_next": {
        "num_key_value_heads": 2,
        "head_dim": 256,
        "shared_expert_intermediate_size": 512,
        "num_nextn_predict_layers": 1,
    },
    "qwen3_5_text": {"num_key_value_heads": 4, "head_dim": 256},
    "qwen3_5_moe_text": {"num_key_value_heads": 2, "head_dim": 256, "shared_expert_intermediate_size": 512},
    "qwen3_vl_text": {"head_dim": 128},
    "qwen3_vl_moe_text": {"head_dim": 128},
    "cohere2": {"tie_word_embeddings": True, "sliding_window": 4096},
    "minimax_m2": {"num_key_value_heads": 8, "head_dim": 128},
    "deepseek_v2": {"q_lora_rank": 1536, "n_shared_experts": 2, "norm_topk_prob": False},
    "deepseek_v3": {"q_lora_rank": 1536, "n_shared_experts": 1, "first_k_dense_replace": 3},
    "deepseek_v32": {"q_lora_rank": 1536, "n_shared_experts": 1, "first_k_dense_replace": 3},
    "glm_moe_dsa": {"q_lora_rank": 2048, "n_shared_experts": 1, "first_k_dense_replace": 3},
    "glm4_moe_lite": {"q_lora_rank": 768},
    "nemotron_h": {"num_key_value_heads": 8, "head_dim": 128},
    "llama4_text": {"num_key_value_heads": 8, "head_dim": 128, "attention_chunk_size": 8192},
}
_ALIASES = {
    "num_hidden_layers": ("n_layer", "num_layers", "n_layers"),
    "hidden_size": ("n_embd", "d_model"),
    "num_attention_heads": ("n_head", "n_heads"),
    "num_key_value_heads": ("num_kv_heads", "n_head_kv"),
    "intermediate_size": ("n_inner", "ffn_hidden_size", "ffn_dim"),
    "max_position_embeddings": ("n_positions", "seq_length", "max_seq_len", "max_sequence_length"),
}


class ConfigReader:
    """One (text) config with its class's defaults; a missing field is an error that names it."""

    def __init__(self, config: Config) -> None:
        self.kind = str(config.get("model_type", ""))
        # A class assumes something where a file is silent, and nothing where it says null.
        self._fields = {k: v for k, v in {**_DEFAULTS.get(self.kind, {}), **config}.items() if v is not None}

    def get(self, name: str, default: Any = None) -> Any:
        for key in (name, *_ALIASES.get(name, ())):
            if key in self._fields:
                return self._fields[key]
        return default

    def plain(self, name: str) -> Any:
        """The field of exactly that name."""
        return self._fields.get(name)

    def integer(self, *names: str) -> int:
        for name in names:
            value = self.get(name)
            if value is not None:
                return whole_number(name, value)
        raise UnreadableConfigError(f"config.json has no {' or '.join(names)}")

    def integer_or(self, default: int, name: str) -> int:
        """The number, or the default where the file says nothing."""
        value = self.get(name)
        return default if value is None else whole_number(name, value)

    def list_of(self, name: str) -> list[Any]:
        """The list; an empty one where the file has none."""
        value = self.get(name, [])
        if not isinstance(value, list):
            raise UnreadableConfigError(f"config.json: {name} is {value!r}, not a list")
        return cast(list[Any], value)

    def integers(self, name: str) -> list[int]:
        return [whole_number(name, number) for number in self.list_of(name)]


def whole_number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise UnreadableConfigError(f"config.json: {name} is {value!r}, not a whole number")
    return int(value)


def mapping(value: Any) -> dict[str, Any]:
    return dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else {}


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The part that describes the language model, with what the outer part says for it."""
    text = mapping(config.get("text_config") or config.get("llm_config") or config.get("language_config"))
    if not text:
        return config
    if text.get("tie_word_embeddings") is None and config.get("tie_word_embeddings") is not None:
        text["tie_word_embeddings"] = config["tie_word_embeddings"]
    if "model_type" not in text and config.get("model_type") == "gemma3":
        text["model_type"] = "gemma3_text"
    return text


def dtype_of(reader: ConfigReader, outer: Config) -> WeightFormat:
    """vLLM's `--dtype auto`: a float32 checkpoint is served in bfloat16."""
    name = reader.get("dtype") or reader.get("torch_dtype") or outer.get("torch_dtype")
    return WeightFormat.FLOAT16 if str(name) in ("float16", "half", "torch.float16") else WeightFormat.BFLOAT16
