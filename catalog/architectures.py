"""The architectures whose weights and cache are modelled, and where their vLLM classes depart from the usual.

A `config.json` of any other is refused by its name: a model read as something else gives a wrong answer without a word.
Read in vLLM 0.33.0, vllm/model_executor/models/ and vllm/models/.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """What the class of a model does with pipeline stages."""

    embeddings_on_every_stage: bool = False
    """The table of embeddings is made without a look at the stage."""
    head_on_every_stage: bool = False
    """The output embedding is on every stage."""
    vision_on_every_stage: bool = False
    rotary_tables: int = 1
    """Tables of positions that are kept: what vLLM runs by transformers' own code keeps none, and the indexers of
    DeepSeek V3.2 have one of their own."""
    wide_rotary_tables: bool = False
    """Their numbers have 32 bits (models/gpt_oss.py; rotary_embedding/deepseek_scaling_rope.py as a custom op)."""
    silu_experts: bool = True
    """The experts' activation is SiLU or a squared ReLU, which TensorRT-LLM's kernel of experts in 16 bits wants."""
    draft_joint_sharded: bool = False
    """What joins layers for speculative decoding to the last is spread over the ranks (qwen3_5_mtp.py, fc)."""
    images_see_ahead: bool = False
    """The tokens of one image see each other, whatever their order (`is_mm_prefix_lm`)."""
    largest_graph: int = 0
    """The tokens of the largest CUDA graph, where the class sets it (GptOssForCausalLMConfig); 0: it does not."""
    sinks: bool = False
    """Its attention has sinks, which few kernels take (models/gpt_oss.py)."""
    code_of_checkpoint: bool = False
    """vLLM and transformers have no class for its config: the server ends at its start without the code that lies
    beside the checkpoint (`--trust-remote-code`)."""
    least_batched_tokens: int = 0
    """The least tokens of a step, where the class takes an image or a video whole (`is_mm_prefix_lm`)."""


_USUAL = Traits()
_BOTH = Traits(embeddings_on_every_stage=True, head_on_every_stage=True)
_HYBRID = Traits(embeddings_on_every_stage=True, head_on_every_stage=True, draft_joint_sharded=True)
_HYBRID_EMBEDDINGS = Traits(embeddings_on_every_stage=True, draft_joint_sharded=True)

MODELLED: dict[str, Traits] = {
    # Llama and what vLLM runs by the same code.
    "LlamaForCausalLM": _USUAL,
    "MistralForCausalLM": _USUAL,
    "Ministral3ForCausalLM": _USUAL,
    "Phi3ForCausalLM": _USUAL,
    "InternLM3ForCausalLM": Traits(code_of_checkpoint=True),
    "GraniteForCausalLM": _USUAL,
    "SeedOssForCausalLM": Traits(rotary_tables=0),
    "Qwen2ForCausalLM": _USUAL,
    "Qwen3ForCausalLM": _USUAL,
    "MiMoForCausalLM": Traits(code_of_checkpoint=True),
    "Glm4ForCausalLM": _USUAL,
    "GemmaForCausalLM": _BOTH,
    "Gemma2ForCausalLM": _BOTH,
    "Gemma3ForCausalLM": _BOTH,
    "Gemma3ForConditionalGeneration": Traits(
        embeddings_on_every_stage=True, head_on_every_stage=True, images_see_ahead=True
    ),
    "Gemma4ForCausalLM": Traits(embeddings_on_every_stage=True, head_on_every_stage=True, silu_experts=False),
    # A video is 32 frames of 70 tokens and 8 around each (vllm/model_executor/models/gemma4_mm.py).
    "Gemma4ForConditionalGeneration": Traits(
        embeddings_on_every_stage=True,
        head_on_every_stage=True,
        silu_experts=False,
        images_see_ahead=True,
        least_batched_tokens=32 * 78,
    ),
    "Cohere2ForCausalLM": _BOTH,
    # Experts.
    "MixtralForCausalLM": _BOTH,
    "Qwen2MoeForCausalLM": _BOTH,
    "Qwen3MoeForCausalLM": _BOTH,
    "GptOssForCausalLM": Traits(
        wide_rotary_tables=True,
        sinks=True,
        embeddings_on_every_stage=True,
        head_on_every_stage=True,
        silu_experts=False,
        largest_graph=1024,
    ),
    "MiniMaxM2ForCausalLM": _USUAL,
    "Glm4MoeForCausalLM": _USUAL,
    "Llama4ForConditionalGeneration": _USUAL,
    "Llama4ForCausalLM": _USUAL,
    "MiMoV2FlashForCausalLM": _USUAL,
    # Latent attention.
    "DeepseekV2ForCausalLM": _USUAL,
    "DeepseekV3ForCausalLM": _USUAL,
    "DeepseekV32ForCausalLM": Traits(rotary_tables=2, wide_rotary_tables=True),
    "GlmMoeDsaForCausalLM": _USUAL,
    "KimiK25ForConditionalGeneration": _USUAL,
    "Glm4MoeLiteForCausalLM": _USUAL,
    # Linear and state-space layers.
    "Qwen3NextForCausalLM": _HYBRID,
    "Qwen3_5ForConditionalGeneration": _HYBRID_EMBEDDINGS,
    "Qwen3_5MoeForConditionalGeneration": _HYBRID_EMBEDDINGS,
    "Qwen3_5ForCausalLM": _HYBRID_EMBEDDINGS,
    "Qwen3_5MoeForCausalLM": _HYBRID_EMBEDDINGS,
    "NemotronHForCausalLM": _HYBRID,
    # Images.
    "Qwen2VLForConditionalGeneration": _USUAL,
    "Qwen2_5_VLForConditionalGeneration": _USUAL,
    "Qwen3VLForConditionalGeneration": _USUAL,
    "Qwen3VLMoeForConditionalGeneration": _BOTH,
    "InternVLChatModel": Traits(code_of_checkpoint=True),
    "Mistral3ForConditionalGeneration": _USUAL,
}

DENSE = frozenset(
    {
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "Ministral3ForCausalLM",
        "Phi3ForCausalLM",
        "InternLM3ForCausalLM",
        "GraniteForCausalLM",
        "SeedOssForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "Glm4ForCausalLM",
        "GemmaForCausalLM",
        "Gemma2ForCausalLM",
        "Gemma3ForCausalLM",
        "Cohere2ForCausalLM",
    }
)
"""Classes that have heads and dense layers and read nothing else, whatever a file says of it."""

RECORDED_ONLY = {
    "DeepseekV4ForCausalLM": "deepseek_v4",  # compressed caches and hyper-connections
    "KimiK3ForConditionalGeneration": "kimi_k3",  # KDA layers among latent ones, and residuals of whole blocks
    "MiniMaxM3SparseForConditionalGeneration": "minimax_m3_vl",  # sparse attention by blocks, and videos
}
"""Classes that vLLM builds and whose formulas would be many, with their model_type: a plan is made of what vLLM's own
code said of a shape, and of nothing else (weights and cache; the overhead is counted as for other models)."""

UNKNOWN_TO_VLLM = frozenset({"MiniMaxM3ForCausalLM", "Step3p7FlashForCausalLM", "MiniMaxM1ForCausalLM"})
"""Names in published configs that vLLM 0.33.0 has no class for (model_executor/models/registry.py)."""

ONLY_BY_CODE_OF_CHECKPOINT = frozenset({"DeciLMForCausalLM"})
"""Classes that are not modelled, and whose config vLLM 0.33.0 reads by code that lies beside the checkpoint alone."""


def traits_of(architecture: str) -> Traits:
    """The usual, for a model that a person described by hand."""
    return MODELLED.get(architecture, _USUAL)
