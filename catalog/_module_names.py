"""The names that a checkpoint's module lists use for the linear layers of a model, and how vLLM matches them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from catalog._config_reader import UnreadableConfigError
from catalog._formats import LinearPart

_PREFIXES = ("model.", "model.language_model.", "language_model.model.", "backbone.", "")
"""Where the language model's layers stand in the checkpoints of different releases of transformers."""

Spelling = tuple[str, tuple[str, ...]]
"""What vLLM calls a linear layer, and the layers of the checkpoint that it fuses in it; none: it is one of them."""

_QKV: Spelling = ("self_attn.qkv_proj", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"))
_LATENT: tuple[Spelling, ...] = (
    ("self_attn.fused_qkv_a_proj", ("self_attn.q_a_proj", "self_attn.kv_a_proj_with_mqa")),
    ("self_attn.q_b_proj", ()),
    ("self_attn.q_proj", ()),
)


def _gated(prefix: str) -> Spelling:
    return (f"{prefix}.gate_up_proj", (f"{prefix}.gate_proj", f"{prefix}.up_proj"))


_IN_LAYER: dict[LinearPart, tuple[Spelling, ...]] = {
    LinearPart.ATTENTION: (
        _QKV,
        ("self_attn.query_key_value", ()),
        ("self_attention.query_key_value", ()),
        ("mixer.qkv_proj", ("mixer.q_proj", "mixer.k_proj", "mixer.v_proj")),
    ),
    LinearPart.LATENT_EXPANSION: (("self_attn.kv_b_proj", ()),),
    LinearPart.ATTENTION_OUTPUT: (("self_attn.o_proj", ()), ("self_attn.dense", ()), ("mixer.o_proj", ())),
    LinearPart.INDEXER: (("self_attn.indexer.wq_b", ()),),
    LinearPart.STATE: (
        ("linear_attn.in_proj_qkv", ()),
        ("linear_attn.in_proj_qkvz", ()),
        ("mixer.in_proj", ()),
    ),
    LinearPart.STATE_OUTPUT: (("linear_attn.out_proj", ()), ("mixer.out_proj", ())),
    LinearPart.DENSE: (_gated("mlp"), ("mlp.fc1", ()), _gated("feed_forward"), ("mixer.up_proj", ())),
    LinearPart.DENSE_OUTPUT: (
        ("mlp.down_proj", ()),
        ("mlp.fc2", ()),
        ("feed_forward.down_proj", ()),
        ("mixer.down_proj", ()),
    ),
    LinearPart.EXPERTS: (
        ("mlp.experts", ()),
        ("block_sparse_moe.experts", ()),
        ("feed_forward.experts", ()),
        ("mixer.experts", ()),
    ),
    LinearPart.SHARED_EXPERTS: (
        _gated("mlp.shared_experts"),
        _gated("mlp.shared_expert"),
        _gated("feed_forward.shared_expert"),
        ("mixer.shared_experts.up_proj", ()),
    ),
}
_EXPERTS_BESIDE_DENSE: tuple[Spelling, ...] = (("moe.experts", ()), ("experts", ()))
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
        "vision_tower.vision_model.encoder.layers.0.mlp.fc1",
        "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1",
        "vision_model.encoder.layers.0.mlp.fc1",
        "model.vision_model.encoder.layers.0.mlp.fc1",
    ),
}


class Match(StrEnum):
    """How a format's entries name modules (vLLM 0.33.0, quantization/utils/quant_utils.py, is_layer_skipped)."""

    EXACT = "exact"
    """The module itself: fp8; of experts also any of them."""
    EXPRESSION = "expression"
    """The module itself, or `re:` with a regular expression: compressed-tensors (compressed_tensors/utils.py)."""
    COMPONENT = "component"
    """A module, or one that it lies in: fbgemm_fp8."""
    SUBSTRING = "substring"
    """Any part of the name: awq, gptq (vllm/model_executor/layers/quantization/auto_awq.py)."""
    WILDCARD = "wildcard"
    """Any part of the name, or a pattern with `*`: modelopt (modelopt.py, is_layer_excluded)."""


@dataclass(frozen=True)
class ModuleNames:
    """The names in one model."""

    beside_dense: bool
    latent: bool = False
    drafts_from: int | None = None
    """The number of the first layer for speculative decoding, where those are named apart from the others ("mtp")."""

    def of(self, part: LinearPart, layer: int | None) -> tuple[Spelling, ...]:
        """Every name that the part may have in a list; `layer` None for a part that lies outside the layers."""
        if layer is None:
            return tuple((name, ()) for name in _OUTSIDE.get(part, ()))
        spellings = _IN_LAYER.get(part, ())
        if part is LinearPart.EXPERTS and self.beside_dense:
            spellings = _EXPERTS_BESIDE_DENSE
        if part is LinearPart.ATTENTION and self.latent:
            spellings = _LATENT
        drafting = self._drafting(layer)
        starts = [f"{prefix}layers.{layer}." for prefix in _PREFIXES]
        starts = starts if drafting is None else [f"{_DRAFTS}.layers.{drafting}."]
        return tuple(
            (start + name, tuple(start + shard for shard in shards)) for start in starts for name, shards in spellings
        )

    def spelled(self, part: LinearPart, layer: int | None) -> tuple[str, ...]:
        """All of these names, with those of the first expert for those of all."""
        names = tuple(name for module, shards in self.of(part, layer) for name in (module, *shards))
        if part is not LinearPart.EXPERTS:
            return names
        return names + tuple(f"{name}.0.{inner}" for name in names for inner in ("gate_proj", "up_proj", "w1"))

    def named(self, part: LinearPart, layer: int | None, entries: "ModuleList", match: Match) -> bool:
        """Whether the entries name the part. Raises UnreadableConfigError where they name half of a fused layer."""
        drafting = self._drafting(layer)
        candidates = entries.about(layer) if drafting is None else entries.about_draft(drafting)
        if not candidates:
            return False
        if part is LinearPart.EXPERTS:
            return any(_names_experts(name, entry, match) for name, _ in self.of(part, layer) for entry in candidates)
        return any(_named(module, shards, candidates, match) for module, shards in self.of(part, layer))

    def _drafting(self, layer: int | None) -> int | None:
        """The number among the layers that draft, of one that is named so."""
        if layer is None or self.drafts_from is None or layer < self.drafts_from:
            return None
        return layer - self.drafts_from


def _named(module: str, shards: tuple[str, ...], entries: list[str], match: Match) -> bool:
    if any(_matches(module, entry, match) for entry in entries):
        return True  # also by an expression (quantization/utils/config_utils.py, find_matching_patterns)
    found = [any(_matches(shard, entry, match) for entry in entries) for shard in shards]
    if any(found) and not all(found):
        raise UnreadableConfigError(
            f"quantization_config: some but not all of {', '.join(shards)} are left out, and vLLM fuses them"
        )
    return bool(found) and all(found)


class ModuleList:
    """The entries of a list that may name a linear layer, found by the number of the layer that they are about."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._of_layer: dict[int, list[str]] = {}
        self._of_draft: dict[int | None, list[str]] = {}
        self._of_any: list[str] = []
        for entry in entries:
            if _is_irrelevant(entry):
                continue
            number = _ONE_LAYER.search(entry)
            if entry.startswith(_DRAFTS):
                self._of_draft.setdefault(int(number[1]) if number else None, []).append(entry)
            elif number is None or entry.startswith("re:"):
                self._of_any.append(entry)
            else:
                self._of_layer.setdefault(int(number[1]), []).append(entry)

    def about(self, layer: int | None) -> list[str]:
        """Entries that may name something in that layer, or outside the layers."""
        # Outside the layers, an encoder is known by its first.
        return self._of_any + self._of_layer.get(layer or 0, [])

    def about_draft(self, number: int) -> list[str]:
        """Entries that may name something in that layer of those that draft."""
        return self._of_any + self._of_draft.get(None, []) + self._of_draft.get(number, [])


_DRAFTS = "mtp"
_ONE_LAYER = re.compile(r"layers\.(\d+)\.")
"""The dot behind the number: `layers.1*` is about ten more."""


def _is_irrelevant(entry: str) -> bool:
    """What names no linear layer that is modelled: norms, routers."""
    skipped = ("norm", "norm.bias", "e_score_correction_bias", "mlp.gate", "block_sparse_moe.gate", "mixer.gate")
    return entry.endswith(skipped)


def _names_experts(name: str, entry: str, match: Match) -> bool:
    """vLLM knows the experts of a layer as one module, and takes a name of one of them for all."""
    if entry.startswith("re:"):
        return any(_matches(f"{name}{inner}", entry, match) for inner in ("", ".0.gate_proj", ".0.up_proj", ".0.w1"))
    alone = match is not Match.SUBSTRING and entry.startswith(f"{name}.")
    return alone or _matches(name, entry, match)


_BY_EXPRESSION = {Match.EXPRESSION, Match.SUBSTRING}
"""Others take `re:` for a part of a name, which no module has; of these, GPTQ's `dynamic` are expressions."""


def _matches(name: str, entry: str, match: Match) -> bool:
    if entry.startswith("re:"):
        if match not in _BY_EXPRESSION:
            return False
        return re.match(entry.removeprefix("re:"), name) is not None
    match match:
        case Match.EXACT | Match.EXPRESSION:
            return entry == name
        case Match.SUBSTRING:
            return entry in name
        case Match.WILDCARD:
            return (entry in name) if "*" not in entry else fnmatchcase(name, entry)
        case Match.COMPONENT:
            return f".{entry}." in f".{name}."
