"""The `quantization_config` of a Hugging Face `config.json`, or the `hf_quant_config.json` that lies beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from catalog._config_reader import UnreadableConfigError, mapping, whole_number
from catalog._formats import KvCacheDtype, LinearPart, QuantisedPart, Quantization, StoredOtherwise, WeightFormat
from catalog._module_names import Match, ModuleList, ModuleNames


@dataclass(frozen=True)
class _Checkpoint:
    """What of the model its description needs."""

    layers: int
    parts: frozenset[LinearPart]
    names: ModuleNames


FormatOf = Callable[[LinearPart, int | None], WeightFormat | None]
"""How a part of a layer is stored; the layer is None for a part outside the layers."""

_WHOLE = frozenset({LinearPart.OUTPUT_EMBEDDING, LinearPart.VISION})
# vllm/model_executor/layers/quantization/modelopt.py
_MODELOPT = {
    "FP8": WeightFormat.FP8,
    "FP8_PER_CHANNEL_PER_TOKEN": WeightFormat.FP8,
    "FP8_PB_WO": WeightFormat.FP8,
    "NVFP4": WeightFormat.NVFP4,
    "NVFP4_AWQ": WeightFormat.NVFP4,
    "W4A16_NVFP4": WeightFormat.NVFP4,
    "W4A8_NVFP4_FP8": WeightFormat.NVFP4,
    "MXFP8": WeightFormat.MXFP8,
}


def quantization_of(
    config: Mapping[str, Any],
    beside: Mapping[str, Any] | None,
    layers: int,
    parts: frozenset[LinearPart],
    *,
    beside_dense: bool = False,
    latent: bool = False,
) -> Quantization | None:
    """How the checkpoint is stored. `parts` are those that the model has.

    vLLM reads the file beside the config only where the config says nothing (transformers_utils/config.py, 0.33.0).
    """
    beside = beside if beside and _is_modelopt(beside) else None
    if not config and beside:
        inner = mapping(beside.get("quantization")) or dict(beside)
        config = {**inner, "quant_method": "modelopt"}
    elif config and beside and str(config.get("quant_algo", "")).upper() == "MIXED_PRECISION":
        inner = mapping(beside.get("quantization")) or dict(beside)
        config = {**{k: inner[k] for k in ("quantized_layers",) if k in inner}, **config}
    if not config:
        return None
    checkpoint = _Checkpoint(layers, parts, ModuleNames(beside_dense, latent))
    method = str(config.get("quant_method", "")).lower().replace("_", "-")
    match method:
        case "fp8" | "fbgemm-fp8":
            block = _first_integer(config.get("weight_block_size"))
            skipped = _names(config, "ignored_layers", "modules_to_not_convert")
            main = Quantization(format=WeightFormat.FP8, block=block)
            match = Match.EXACT if method == "fp8" else Match.COMPONENT
            return _excepting(main, skipped, match, checkpoint, vision=True)
        case "mxfp4":
            return Quantization(format=WeightFormat.MXFP4, covers=QuantisedPart.EXPERTS)
        case "mxfp8":
            main = Quantization(format=WeightFormat.MXFP8)
            return _excepting(main, _names(config, "ignored_layers"), Match.WILDCARD, checkpoint)
        case "awq" | "gptq" | "gptq-marlin" | "awq-marlin" | "auto-round" | "inc":
            return _integer_groups(config, method, checkpoint)
        case "bitsandbytes":
            main = Quantization(
                format=WeightFormat.INT4 if config.get("load_in_4bit") else WeightFormat.INT8,
                group=64 if config.get("load_in_4bit") else None,
            )
            return _excepting(main, _names(config, "llm_int8_skip_modules"), Match.SUBSTRING, checkpoint)
        case "modelopt" | "modelopt-fp4" | "modelopt-mixed" | "modelopt-mxfp8" | "nvfp4":
            return _modelopt(config, checkpoint)
        case "compressed-tensors":
            return _compressed_tensors(config, checkpoint)
        case "":
            # vLLM takes a config without quant_method for one that is not quantised (config/model.py, 0.33.0).
            return None
        case _:
            raise UnreadableConfigError(f"quantization_config: the method {method} is not modelled")


def _is_modelopt(beside: Mapping[str, Any]) -> bool:
    """vLLM takes the file for modelopt's by its producer or its own method, and else leaves it alone."""
    names = (beside.get("quant_method"), mapping(beside.get("producer")).get("name"))
    return any(str(name).lower().startswith("modelopt") for name in names)


def _integer_groups(config: Mapping[str, Any], method: str, checkpoint: _Checkpoint) -> Quantization:
    bits = whole_number("quantization_config.bits", config.get("bits", config.get("w_bit", 4)))
    if bits not in (4, 8):
        raise UnreadableConfigError(f"quantization_config: {bits} bits of {method} are not modelled")
    group = config.get("group_size", config.get("q_group_size", 128))
    if method.startswith("gptq"):
        _refuse_old_gptq(config, group)
    size = whole_number("quantization_config.group_size", group)
    asymmetric = bool(config.get("zero_point", method.startswith("awq"))) or config.get("sym") is False
    main = Quantization(
        format=WeightFormat.INT8 if bits == 8 else WeightFormat.INT4,
        group=size if size > 0 else None,
        zero_points=asymmetric,
        wide_zero_points=asymmetric and method.startswith("awq"),
    )
    skipped = _names(config, "modules_to_not_convert")
    only = _quantised_alone(config)
    for name, change in mapping(config.get("dynamic")).items():
        if name.startswith("-:"):
            skipped.append(f"re:.*{name.removeprefix('-:')}")
        elif mapping(change).get("bits", bits) != bits or mapping(change).get("group_size", group) != group:
            raise UnreadableConfigError(f"quantization_config: dynamic gives {name} another format: not modelled")
    for name, change in mapping(config.get("extra_config")).items():
        other = mapping(change).get("bits", bits)
        if other == 16:
            skipped.append(name)
        elif other != bits:
            raise UnreadableConfigError(f"quantization_config: extra_config gives {name} {other} bits: not modelled")
    if only:
        return _but_for(main, only, checkpoint)
    return _excepting(main, skipped, Match.SUBSTRING, checkpoint, head=bool(config.get("lm_head")))


def _quantised_alone(config: Mapping[str, Any]) -> list[str]:
    """GPTQ's list of what is quantised, where there is one; lists of layers that belong together are one list."""
    names: list[str] = []
    for entry in cast(list[Any], config.get("modules_in_block_to_quantize") or []):
        names += [str(name) for name in (cast(list[Any], entry) if isinstance(entry, list) else [entry])]
    return names


def _but_for(main: Quantization, only: list[str], checkpoint: _Checkpoint) -> Quantization:
    """The main format for what a list names, and no other part."""
    known = ModuleList(only)

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        named = part not in _WHOLE and checkpoint.names.named(part, layer, known, Match.SUBSTRING)
        return main.format if named else None

    return _described(main, format_of, checkpoint)


def _refuse_old_gptq(config: Mapping[str, Any], group: Any) -> None:
    """vLLM 0.33.0, quantization/auto_gptq.py and utils/gptq_utils.py."""
    if config.get("desc_act") and group != -1:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no GPTQ with desc_act and groups")
    if config.get("sym") is False:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no GPTQ without sym")


def _modelopt(config: Mapping[str, Any], checkpoint: _Checkpoint) -> Quantization:
    algorithm = str(config.get("quant_algo", "")).upper()
    cache = _modelopt_cache(config)
    skipped = _names(config, "exclude_modules", "ignore")
    if algorithm == "MIXED_PRECISION":
        stored = mapping(config.get("quantized_layers"))
        if not stored:
            raise UnreadableConfigError("quantization_config: MIXED_PRECISION without quantized_layers")
        groups = [([name], _modelopt_format(str(mapping(how).get("quant_algo", "")))) for name, how in stored.items()]
        return _mixed(_by_format(groups), skipped, checkpoint, Match.WILDCARD).model_copy(update={"kv_cache": cache})
    main = Quantization(
        format=_modelopt_format(algorithm), block=128 if algorithm == "FP8_PB_WO" else None, kv_cache=cache
    )
    head = LinearPart.OUTPUT_EMBEDDING in checkpoint.parts
    return _excepting(main, skipped, Match.WILDCARD, checkpoint, head=head)


def _modelopt_format(algorithm: str) -> WeightFormat:
    if algorithm.upper() not in _MODELOPT:
        raise UnreadableConfigError(f"quantization_config: the algorithm {algorithm or 'unnamed'} is not modelled")
    return _MODELOPT[algorithm.upper()]


def _modelopt_cache(config: Mapping[str, Any]) -> KvCacheDtype:
    """vllm/utils/torch_utils.py, get_kv_cache_quant_algo_string: what it does not know is no wish."""
    said = config.get("kv_cache_scheme") or config.get("kv_cache_quant_algo")
    if isinstance(said, Mapping):
        scheme = cast(Mapping[str, Any], said)
        if scheme.get("type") != "float":
            return KvCacheDtype.AUTO
        said = "nvfp4" if scheme.get("num_bits") == 4 else "fp8" if _is_fixed_fp8(scheme) else None
    match str(said).lower():
        case "fp8":
            return KvCacheDtype.FP8_E4M3
        case "nvfp4":
            raise UnreadableConfigError("quantization_config: a KV cache in nvfp4 is not modelled")
        case _:
            return KvCacheDtype.AUTO


def _is_fixed_fp8(scheme: Mapping[str, Any]) -> bool:
    return scheme.get("num_bits") == 8 and scheme.get("dynamic") is False


def _scheme_cache(scheme: Mapping[str, Any]) -> KvCacheDtype:
    if not scheme:
        return KvCacheDtype.AUTO
    if scheme.get("num_bits") == 8 and scheme.get("type") == "float":
        return KvCacheDtype.FP8_E4M3
    raise UnreadableConfigError(
        f"quantization_config: a KV cache of {scheme.get('num_bits')} bits ({scheme.get('type')}) is not modelled"
    )


def _compressed_tensors(config: Mapping[str, Any], checkpoint: _Checkpoint) -> Quantization:
    """Groups of targets, and what they ignore (vLLM 0.33.0, quantization/compressed_tensors/compressed_tensors.py)."""
    schemes = [mapping(group) for group in mapping(config.get("config_groups")).values()]
    if not schemes:
        raise UnreadableConfigError("quantization_config: compressed-tensors without config_groups")
    groups: list[tuple[list[str], Quantization]] = []
    for scheme in schemes:
        targets = [str(target) for target in cast(list[Any], scheme.get("targets") or ["Linear"])]
        groups.append((targets, _scheme(mapping(scheme.get("weights")))))
    # Latent attention looks at no scheme (model_executor/layers/attention/attention.py, Attention alone).
    cache = _scheme_cache({} if checkpoint.names.latent else mapping(config.get("kv_cache_scheme")))
    skipped = _names(config, "ignore")
    if len({scheme.format for _, scheme in groups}) > 1 or not _is_everything(groups[0][0]):
        return _mixed(groups, skipped, checkpoint, Match.EXPRESSION).model_copy(update={"kv_cache": cache})
    main = groups[0][1].model_copy(update={"kv_cache": cache})
    return _excepting(main, skipped, Match.EXPRESSION, checkpoint, vision=True)


def _is_everything(targets: list[str]) -> bool:
    return any(target in ("Linear", "re:.*") for target in targets)


def _scheme(weights: Mapping[str, Any]) -> Quantization:
    bits = whole_number("quantization_config.weights.num_bits", weights.get("num_bits", 8))
    floating = str(weights.get("type", "int")) == "float"
    group = weights.get("group_size")
    block = _first_integer(weights.get("block_structure"))
    match bits, floating:
        case 8, True:
            if group == 32:
                return Quantization(format=WeightFormat.MXFP8)
            return Quantization(format=WeightFormat.FP8, block=block)
        case 4, True:
            return Quantization(format=WeightFormat.MXFP4 if group == 32 else WeightFormat.NVFP4)
        case 4 | 8, False:
            size = whole_number("quantization_config.weights.group_size", group) if group else None
            return Quantization(
                format=WeightFormat.INT4 if bits == 4 else WeightFormat.INT8,
                group=size if size and size > 0 else None,
                zero_points=weights.get("symmetric") is False,
            )
        case _:
            raise UnreadableConfigError(f"quantization_config: weights of {bits} bits are not modelled")


def _by_format(groups: list[tuple[list[str], WeightFormat]]) -> list[tuple[list[str], Quantization]]:
    joined: dict[WeightFormat, list[str]] = {}
    for targets, form in groups:
        joined.setdefault(form, []).extend(targets)
    return [(targets, Quantization(format=form)) for form, targets in joined.items()]


def _mixed(
    groups: list[tuple[list[str], Quantization]], skipped: list[str], checkpoint: _Checkpoint, match: Match
) -> Quantization:
    """Parts take the format of the group that names them; the first group's is the main one."""
    known = ModuleList(skipped)
    by_name = [(set(targets), _patterns(targets), scheme) for targets, scheme in groups]

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        if checkpoint.names.named(part, layer, known, match):
            return None
        for names, patterns, scheme in by_name:
            spelled = any(name in names for name in checkpoint.names.spelled(part, layer))
            if spelled or checkpoint.names.named(part, layer, patterns, Match.EXPRESSION):
                return scheme.format
        whole = next((scheme.format for targets, scheme in groups if _is_everything(targets)), None)
        return None if part in _WHOLE else whole

    return _described(groups[0][1], format_of, checkpoint)


def _patterns(targets: list[str]) -> ModuleList:
    return ModuleList(target for target in targets if target.startswith("re:") or "*" in target)


def _excepting(
    main: Quantization,
    skipped: list[str],
    match: Match,
    checkpoint: _Checkpoint,
    *,
    head: bool = False,
    vision: bool = False,
) -> Quantization:
    """The main format, but for what a list names."""
    known = ModuleList(skipped)

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        if (part is LinearPart.OUTPUT_EMBEDDING and not head) or (part is LinearPart.VISION and not vision):
            return None
        return None if checkpoint.names.named(part, layer, known, match) else main.format

    return _described(main, format_of, checkpoint)


def _described(main: Quantization, format_of: FormatOf, checkpoint: _Checkpoint) -> Quantization:
    """As short a description as gives the same answer for every part and layer."""
    otherwise: list[StoredOtherwise] = []
    for part in sorted(checkpoint.parts):
        if part in _WHOLE:
            form = format_of(part, None)
            if form != main.format_of(part):
                otherwise.append(StoredOtherwise(part=part, format=form))
            continue
        by_form: dict[WeightFormat | None, list[int]] = {}
        for layer in range(checkpoint.layers):
            by_form.setdefault(format_of(part, layer), []).append(layer)
        for form, numbers in by_form.items():
            if form != main.format_of(part, numbers[0]):
                every = len(numbers) == checkpoint.layers
                otherwise.append(StoredOtherwise(part=part, format=form, layers=None if every else tuple(numbers)))
    return main.model_copy(update={"otherwise": tuple(otherwise)})


def _names(config: Mapping[str, Any], *keys: str) -> list[str]:
    """The first of these lists that says something."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if not isinstance(value, list):
            raise UnreadableConfigError(f"quantization_config: {key} is no list of names")
        if value:
            return [str(name) for name in cast(list[Any], value)]
    return []


def _first_integer(value: Any) -> int | None:
    if isinstance(value, list) and value and isinstance(cast(list[Any], value)[0], int):
        return int(cast(list[Any], value)[0])
    return None
