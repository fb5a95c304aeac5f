"""The names that a checkpoint's module lists use for the linear layers of a model, and how vLLM matches them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from catalog._formats import LinearPart

_PREFIXES = ("model.", "model.language_model.", "language_model.model.", "backbone.", "")
"""Where the language model's layers stand in the checkpoints of different releases of transformers."""

# By part: what a layer calls its linear layers. Those of one line are fused by vLLM and must be stored alike.
_IN_LAYER: dict[LinearPart, tuple[str, ...]] = {
    LinearPart.ATTENTION: (
        "self_attn.q_proj",
        "self_attn.qkv_proj",
        "self_attn.q_b_proj",
        "self_attn.kv_a_proj_with_mqa",
        "self_attn.query_key_value",
        "self_attention.query_key_value",
        "mixer.q_proj",
    ),
    LinearPart.LATENT_EXPANSION: ("self_attn.kv_b_proj",),
    LinearPart.ATTENTION_OUTPUT: ("self_attn.o_proj", "self_attn.dense", "mixer.o_proj"),
    LinearPart.INDEXER: ("self_attn.indexer.wq_b",),
    LinearPart.STATE: ("linear_attn.in_proj_qkv", "linear_attn.in_proj_qkvz", "mixer.in_proj"),
    LinearPart.STATE_OUTPUT: ("linear_attn.out_proj", "mixer.out_proj"),
    LinearPart.DENSE: (
        "mlp.gate_proj",
        "mlp.gate_up_proj",
        "mlp.up_proj",
        "mlp.fc1",
        "feed_forward.gate_proj",
        "mixer.up_proj",
    ),
    LinearPart.DENSE_OUTPUT: ("mlp.down_proj", "mlp.fc2", "feed_forward.down_proj", "mixer.down_proj"),
    LinearPart.EXPERTS: (
        "mlp.experts",
        "block_sparse_moe.experts",
        "feed_forward.experts",
        "mixer.experts",
    ),
    LinearPart.SHARED_EXPERTS: (
        "mlp.shared_experts.gate_proj",
        "mlp.shared_experts.up_proj",
        "mlp.shared_expert.gate_proj",
        "feed_forward.shared_expert.gate_proj",
        "mixer.shared_experts.up_proj",
    ),
}
_EXPERTS_BESIDE_DENSE = ("moe.experts", "experts")
"""Where a layer has a dense part as well, `mlp` names that (Gemma 4)."""
_OUTSIDE: dict[LinearPart, tuple[str, ...]] = {
    LinearPart.OUTPUT_EMBEDDING: ("lm_head", "language_model.lm_head"),
    LinearPart.VISION: (
        "visual.blocks.0.mlp.linear_fc1",
        "model.visual.blocks.0.mlp.linear_fc1",
        "model.visual.blocks.0.attn.qkv",
        "visual.blocks.0.attn.qkv",
        "visual.blocks.0.mlp.fc1",
        "visual.blocks.0.mlp.gate_proj",
        "vision_tower.encoder.layers.0.mlp.fc1",
        "model.vision_tower.encoder.layers.0.mlp.gate_proj",
        "vision_model.encoder.layers.0.mlp.fc1",
        "model.vision_model.encoder.layers.0.mlp.fc1",
    ),
}


class Match(StrEnum):
    """How a format's entries name modules."""

    COMPONENT = "component"
    """A module, or one that it lies in: fp8, fbgemm_fp8, compressed-tensors, with `re:` for a regular expression."""
    SUBSTRING = "substring"
    """Any part of the name: awq, gptq (vllm/model_executor/layers/quantization/auto_awq.py)."""
    WILDCARD = "wildcard"
    """Any part of the name, or a pattern with `*`: modelopt (modelopt.py, is_layer_excluded)."""


@dataclass(frozen=True)
class ModuleNames:
    """The names in one model."""

    beside_dense: bool

    def of(self, part: LinearPart, layer: int | None) -> tuple[str, ...]:
        """Every name that the part may have in a list; `layer` None for a part that lies outside the layers."""
        if layer is None:
            return _OUTSIDE.get(part, ())
        names = _IN_LAYER.get(part, ())
        if part is LinearPart.EXPERTS and self.beside_dense:
            names = _EXPERTS_BESIDE_DENSE
        return tuple(f"{prefix}layers.{layer}.{name}" for prefix in _PREFIXES for name in names)

    def spelled(self, part: LinearPart, layer: int | None) -> tuple[str, ...]:
        """The same, with the names of the first expert for those of all."""
        names = self.of(part, layer)
        if part is not LinearPart.EXPERTS:
            return names
        return names + tuple(f"{name}.0.{inner}" for name in names for inner in ("gate_proj", "up_proj", "w1"))

    def named(self, part: LinearPart, layer: int | None, entries: "ModuleList", match: Match) -> bool:
        """Whether one of the entries names the part."""
        candidates = entries.about(layer)
        if not candidates:
            return False
        names = self.of(part, layer)
        if part is LinearPart.EXPERTS:
            return any(_names_experts(name, entry, match) for name in names for entry in candidates)
        if match is Match.SUBSTRING:
            # `gate` means the router, and is part of this name by chance: vLLM wants it of both fused layers.
            names = tuple(name for name in names if not name.endswith("gate_proj"))
        return any(_matches(name, entry, match) for name in names for entry in candidates)


class ModuleList:
    """The entries of a list that may name a linear layer, found by the number of the layer that they are about."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._of_layer: dict[int, list[str]] = {}
        self._of_any: list[str] = []
        for entry in entries:
            if _is_irrelevant(entry):
                continue
            number = _ONE_LAYER.search(entry)
            if number is None or entry.startswith("re:"):
                self._of_any.append(entry)
            else:
                self._of_layer.setdefault(int(number[1]), []).append(entry)

    def about(self, layer: int | None) -> list[str]:
        """Entries that may name something in that layer, or outside the layers."""
        return self._of_any if layer is None else self._of_any + self._of_layer.get(layer, [])


_ONE_LAYER = re.compile(r"layers\.(\d+)\.")
"""The dot behind the number: `layers.1*` is about ten more."""


def _is_irrelevant(entry: str) -> bool:
    """What names no linear layer that is modelled: norms, routers, the draft layers."""
    skipped = ("norm", "norm.bias", "e_score_correction_bias", "mlp.gate", "block_sparse_moe.gate", "mixer.gate")
    return entry.endswith(skipped) or entry.startswith("mtp")


def _names_experts(name: str, entry: str, match: Match) -> bool:
    """vLLM knows the experts of a layer as one module, and takes a name of one of them for all."""
    if entry.startswith("re:"):
        return any(_matches(f"{name}{inner}", entry, match) for inner in ("", ".0.gate_proj", ".0.up_proj", ".0.w1"))
    alone = match is not Match.SUBSTRING and entry.startswith(f"{name}.")
    return alone or _matches(name, entry, match)


def _matches(name: str, entry: str, match: Match) -> bool:
    if entry.startswith("re:"):
        return re.match(entry.removeprefix("re:"), name) is not None
    if match is Match.SUBSTRING:
        return entry in name
    if match is Match.WILDCARD:
        return (entry in name) if "*" not in entry else fnmatchcase(name, entry)
    if "*" in entry:
        return fnmatchcase(name, entry) or fnmatchcase(name, f"{entry}.*")
    return f".{entry}." in f".{name}."
