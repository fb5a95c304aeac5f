"""compressed-tensors in a `quantization_config`: groups of targets with a scheme each, and those that vLLM serves.

Read in vLLM 0.33.0 on 2026-11-29: quantization/compressed_tensors/compressed_tensors.py (_get_scheme_from_parts) for
linear layers, compressed_tensors_moe/compressed_tensors_moe.py (get_moe_method) for experts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from catalog._config_parts import (
    Checkpoint,
    cards_of_block,
    described,
    is_everything,
    names_in,
    patterns,
    square_block,
    together,
)
from catalog._config_reader import UnreadableConfigError, mapping, whole_number
from catalog._formats import KvCacheDtype, LinearPart, Quantization, WeightFormat
from catalog._module_names import Match, ModuleList

_WITH_INPUTS = {"naive-quantized", "int-quantized", "float-quantized", "nvfp4-pack-quantized"}
"""Packings by which vLLM takes the inputs of a layer for quantised as well (is_activation_quantization_format)."""
_PACKED = "pack-quantized"
_SCALES_BY_HEAD = frozenset({"9.0", "10.0", "10.3"})
"""Where vLLM 0.33.0 has attention with a scale for each head of an fp8 cache (its own code, asked on 2026-11-29 for all
but 10.3, whose kernels are those of 10.0)."""


@dataclass(frozen=True)
class _Numbers:
    """How the weights of a layer, or its inputs, are stored (QuantizationArgs of compressed-tensors)."""

    bits: int
    floating: bool
    strategy: str
    """What shares a scale; empty where nothing is said of it."""
    group: int | None
    symmetric: bool
    dynamic: bool

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        group = said.get("group_size")
        usual = "" if group is None else "channel" if group == -1 else "group"
        return cls(
            bits=whole_number("quantization_config.num_bits", said.get("num_bits", 8)),
            floating=str(said.get("type", "int")).lower() == "float",
            strategy=str(said.get("strategy") or usual).lower(),
            group=None if group is None or group == -1 else whole_number("quantization_config.group_size", group),
            symmetric=said.get("symmetric") is not False,
            dynamic=bool(said.get("dynamic")),
        )

    def by(self, *strategies: str) -> bool:
        return not self.strategy or self.strategy in strategies

    def __str__(self) -> str:
        kind = "float" if self.floating else "int"
        return f"{self.bits}-bit {kind} by {self.strategy}{f' of {self.group}' if self.group else ''}"


@dataclass(frozen=True)
class _Group:
    """Layers that are named together."""

    targets: tuple[str, ...]
    weights: _Numbers
    inputs: _Numbers | None
    packing: str
    stored: Quantization

    def format_for(self, part: LinearPart) -> WeightFormat:
        """Raises UnreadableConfigError where vLLM has no way to serve that part so."""
        experts = part is LinearPart.EXPERTS
        if self._serves_experts() if experts else self._serves_dense():
            return self.stored.format
        raise UnreadableConfigError(
            f"quantization_config: {'experts' if experts else 'layers'} with weights of {self.weights} and inputs of "
            f"{self.inputs or '16 bits'}, packed as {self.packing}, are not modelled, or not served by vLLM 0.33"
        )

    def _packed(self, *packings: str) -> bool:
        return not self.packing or self.packing in packings

    def _serves_dense(self) -> bool:
        weights, inputs = self.weights, self.inputs
        if weights.floating and weights.bits == 4:
            return weights.strategy != "tensor_group" or inputs is None or (inputs.floating and inputs.bits == 4)
        if self.stored.format is WeightFormat.MXFP8:
            return True
        if weights.floating:
            return weights.symmetric and weights.by("tensor", "channel", "block") and self._packed(*_WITH_INPUTS)
        if inputs is None:
            return weights.by("channel", "group") and self._packed(_PACKED)
        if self.packing == _PACKED:
            return weights.by("channel", "group") and inputs.symmetric and inputs.dynamic
        by_column = weights.symmetric and weights.by("tensor", "channel") and weights.bits == 8
        whole = inputs.by("token" if inputs.dynamic else "tensor") and inputs.bits == 8
        return by_column and whole and self._packed(*_WITH_INPUTS)

    def _serves_experts(self) -> bool:
        weights, inputs = self.weights, self.inputs
        if (weights.floating and weights.bits == 4) or self.stored.format is WeightFormat.MXFP8:
            return self._serves_dense()
        if inputs is None:
            if weights.bits == 8 and not weights.symmetric:
                return False
            return weights.by("group") and not (weights.floating and weights.strategy) and self._packed(_PACKED)
        if weights.floating and weights.by("block"):
            return weights.symmetric
        by_column = weights.by("channel") and inputs.by("token")
        as_one = weights.floating and weights.by("tensor") and inputs.by("tensor") and not inputs.dynamic
        return weights.symmetric and weights.bits == 8 and (by_column or as_one)


def compressed_tensors(config: Mapping[str, Any], checkpoint: Checkpoint) -> Quantization:
    if mapping(config.get("sparsity_config")).get("targets"):
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no sparse weights (sparsity_config)")
    groups = _groups(config)
    # Latent attention looks at no scheme (model_executor/layers/attention/attention.py, Attention alone).
    cache = KvCacheDtype.AUTO if checkpoint.names.latent else _cache(mapping(config.get("kv_cache_scheme")))
    skipped = ModuleList(names_in(config, "ignore"))
    named = [(set(group.targets), patterns(list(group.targets)), group) for group in groups]
    whole = next((group for group in groups if is_everything(list(group.targets))), None)

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        if checkpoint.names.named(part, layer, skipped, Match.EXPRESSION):
            return None
        group = next(
            (
                group
                for names, expressions, group in named
                if any(name in names for name in checkpoint.names.spelled(part, layer))
                or checkpoint.names.named(part, layer, expressions, Match.EXPRESSION)
            ),
            None if part is LinearPart.OUTPUT_EMBEDDING else whole,
        )
        return None if group is None else group.format_for(part)

    main = together([group.stored for group in groups]).model_copy(update={"kv_cache": cache})
    if cache.quantised and mapping(config.get("kv_cache_scheme")).get("strategy") == "attn_head":
        main = main.model_copy(update={"only_on": main.only_on & _SCALES_BY_HEAD or _SCALES_BY_HEAD})
    return described(main, format_of, checkpoint)


def _groups(config: Mapping[str, Any]) -> list[_Group]:
    groups: list[_Group] = []
    for said in map(mapping, mapping(config.get("config_groups")).values()):
        targets = tuple(str(target) for target in cast(list[Any], said.get("targets") or ["Linear"]))
        if len(targets) == 1 and targets[0].endswith("Attention"):
            continue  # what attention computes with goes by the cache's format
        if "re:.*" in targets and str(mapping(said.get("weights")).get("type")) == "float":
            raise UnreadableConfigError(
                "quantization_config: vLLM 0.33 serves no table of embeddings in floats (re:.*)"
            )
        weights, inputs = mapping(said.get("weights")), mapping(said.get("input_activations"))
        if "weights" in said and not weights:
            raise UnreadableConfigError("quantization_config: a group of config_groups has no weights")
        if weights.get("actorder") is True or str(weights.get("actorder")).lower() in ("group", "dynamic"):
            raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no weights in the order of activations")
        packing = str(said.get("format") or config.get("format") or "")
        numbers, entering = _Numbers.of(weights), _Numbers.of(inputs) if inputs else None
        stored = _stored(numbers, weights, alone=entering is None)
        if entering is not None and entering.floating and not numbers.floating:  # _is_fp8_w4a8_sm90
            stored = stored.model_copy(update={"only_on": frozenset({"9.0"})})
        groups.append(_Group(targets, numbers, entering, packing, stored))
    if not groups:
        raise UnreadableConfigError("quantization_config: compressed-tensors without config_groups of weights")
    return groups


def _stored(numbers: _Numbers, weights: Mapping[str, Any], *, alone: bool) -> Quantization:
    """`alone`: activations stay in 16 bits (compressed_tensors_moe.py, use_a16)."""
    match numbers.bits, numbers.floating:
        case 8, True if numbers.group == 32 and str(weights.get("scale_dtype")).endswith("uint8"):
            return Quantization(format=WeightFormat.MXFP8)
        case 8, True:
            block = _block(weights.get("block_structure"))
            return Quantization(
                format=WeightFormat.FP8,
                block=block,
                one_scale=numbers.strategy == "tensor",
                whole_expert_blocks=block is not None,
                only_on=cards_of_block(block),
            )
        case 4, True:
            nvfp4 = WeightFormat.NVFP4_A16 if alone else WeightFormat.NVFP4
            return Quantization(format=WeightFormat.MXFP4 if numbers.group == 32 else nvfp4)
        case 4 | 8, False:
            return Quantization(
                format=WeightFormat.INT4 if numbers.bits == 4 else WeightFormat.INT8,
                group=numbers.group,
                zero_points=not numbers.symmetric,
            )
        case _:
            raise UnreadableConfigError(f"quantization_config: weights of {numbers.bits} bits are not modelled")


def _block(sides: Any) -> int | None:
    """The side of a block; a text as "128x128" is older."""
    return None if sides is None else square_block(sides.split("x") if isinstance(sides, str) else sides)


def _cache(scheme: Mapping[str, Any]) -> KvCacheDtype:
    """validate_kv_cache_scheme: vLLM serves one format, with a scale for the whole cache or for each head."""
    if not scheme:
        return KvCacheDtype.AUTO
    if scheme.get("num_bits") != 8 or scheme.get("type") != "float":
        raise UnreadableConfigError(
            f"quantization_config: a KV cache of {scheme.get('num_bits')} bits ({scheme.get('type')}) is not modelled"
        )
    if scheme.get("strategy", "tensor") not in ("tensor", "attn_head") or scheme.get("symmetric") is False:
        raise UnreadableConfigError(
            "quantization_config: vLLM 0.33 serves a kv_cache_scheme that is symmetric, with a scale for the tensor or "
            "for each attn_head alone"
        )
    return KvCacheDtype.FP8_E4M3
