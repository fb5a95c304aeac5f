"""Config files of models, written from public facts: what their parts are, and what a checkpoint leaves in 16 bits."""

from typing import Any

YARN = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}


def llama(layers: int, hidden: int, inner: int, heads: int) -> dict[str, Any]:
    """Llama 3.1 of that size."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def deepseek() -> dict[str, Any]:
    """DeepSeek R1 without its quantisation."""
    return {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "hidden_size": 7168,
        "intermediate_size": 18432,
        "moe_intermediate_size": 2048,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "first_k_dense_replace": 3,
        "num_hidden_layers": 61,
        "num_attention_heads": 128,
        "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1,
        "q_lora_rank": 1536,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "vocab_size": 129280,
        "max_position_embeddings": 163840,
        "rope_scaling": YARN,
        "torch_dtype": "bfloat16",
    }


def qwen2_vl() -> dict[str, Any]:
    """Qwen2-VL-7B: the encoder's width is embed_dim."""
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "max_position_embeddings": 32768,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "sliding_window": 32768,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "vocab_size": 152064,
        "vision_config": {
            "depth": 32,
            "embed_dim": 1280,
            "mlp_ratio": 4,
            "hidden_size": 3584,
            "in_chans": 3,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def qwen2_5_vl() -> dict[str, Any]:
    """Qwen2.5-VL-72B."""
    return {
        **qwen2_vl(),
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "hidden_size": 8192,
        "intermediate_size": 29568,
        "max_position_embeddings": 128000,
        "num_attention_heads": 64,
        "num_hidden_layers": 80,
        "num_key_value_heads": 8,
        "vision_config": {
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3456,
            "in_chans": 3,
            "out_hidden_size": 8192,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def internvl() -> dict[str, Any]:
    """InternVL3-78B in AWQ."""
    text = llama(80, 8192, 29568, 64) | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
    text |= {"vocab_size": 151674, "max_position_embeddings": 32768, "rope_scaling": None}
    return {
        "architectures": ["InternVLChatModel"],
        "model_type": "internvl_chat",
        "llm_config": text,
        "vision_config": {
            "hidden_size": 3200,
            "intermediate_size": 12800,
            "num_hidden_layers": 45,
            "patch_size": 14,
            "image_size": 448,
        },
        "quantization_config": {
            "quant_method": "awq",
            "bits": 4,
            "group_size": 128,
            "zero_point": True,
            "modules_to_not_convert": ["vision_model", "mlp1"],
        },
    }


def qwen3_moe() -> dict[str, Any]:
    """Qwen3-30B-A3B."""
    return {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
