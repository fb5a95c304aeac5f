"""Integer formats by groups: awq, gptq and auto-round in a `quantization_config`."""

from collections.abc import Mapping
from typing import Any, cast

from catalog._config_parts import Checkpoint, excepting, names_in, nothing_but, refuse_without
from catalog._config_reader import UnreadableConfigError, mapping, whole_number
from catalog._formats import LinearPart, Quantization, WeightFormat
from catalog._module_names import Match

_MARLIN_GROUPS = (-1, 32, 64, 128)
"""Weights that share a scale, as Marlin's kernel has them; vLLM has another for awq, and none for gptq."""
_ROUNDED = ("auto_round:auto_gptq", "auto_round:auto_awq")
_AWQ_KEYS = (("w_bit", "bits"), ("q_group_size", "group_size"), ("zero_point",))
_GPTQ_KEYS = (("bits",), ("group_size",), ("desc_act",), ("sym",))


def integer_groups(config: Mapping[str, Any], method: str, checkpoint: Checkpoint) -> Quantization:
    refuse_without(config, method, *(_AWQ_KEYS if "awq" in method else _GPTQ_KEYS[: 4 if "gptq" in method else 2]))
    bits = whole_number("quantization_config.bits", config.get("w_bit") or config.get("bits"))
    if bits not in (4, 8) or (bits == 8 and "awq" in method):
        raise UnreadableConfigError(f"quantization_config: {bits} bits of {method} are not modelled")
    group = config.get("q_group_size") or config.get("group_size")
    size = whole_number("quantization_config.group_size", group)
    if "gptq" in method:
        _refuse_old_gptq(config, size, checkpoint)
    if method in ("auto-round", "inc"):
        _refuse_other_rounding(config)
    as_awq = "awq" in method or str(config.get("packing_format", "")).endswith("awq")
    asymmetric = bool(config.get("zero_point", "awq" in method)) or config.get("sym") is False
    main = Quantization(
        format=WeightFormat.INT8 if bits == 8 else WeightFormat.INT4,
        group=size if size > 0 else None,
        zero_points=asymmetric,
        wide_zero_points=asymmetric and as_awq and size in _MARLIN_GROUPS,
        finer_expert_groups=True,
    )
    # A part of a name, so that an expression is none (auto_awq.py, 0.33.0); GPTQ's `dynamic` alone has those.
    skipped = [name for name in names_in(config, "modules_to_not_convert") if not name.startswith("re:")]
    only = _quantised_alone(config)
    for name, change in mapping(config.get("dynamic")).items():
        if name.startswith("-:"):
            skipped.append(f"re:{name.removeprefix('-:')}")
        elif mapping(change).get("sym") is False or mapping(change).get("desc_act"):
            raise UnreadableConfigError(f"quantization_config: vLLM 0.33 serves no GPTQ as dynamic wants {name}")
        elif mapping(change).get("bits", bits) != bits or mapping(change).get("group_size", group) != group:
            raise UnreadableConfigError(f"quantization_config: dynamic gives {name} another format: not modelled")
    for name, change in mapping(config.get("extra_config")).items():
        other = mapping(change).get("bits", bits)
        if other == 16:
            skipped.append(name)
        elif other != bits:
            raise UnreadableConfigError(f"quantization_config: extra_config gives {name} {other} bits: not modelled")
    if only:
        return nothing_but(main, only, checkpoint)
    outside = frozenset({LinearPart.OUTPUT_EMBEDDING} if config.get("lm_head") else ())
    return excepting(main, skipped, Match.SUBSTRING, checkpoint, outside)


def _quantised_alone(config: Mapping[str, Any]) -> list[str]:
    """GPTQ's list of what is quantised, where there is one; lists of layers that belong together are one list."""
    names: list[str] = []
    for entry in cast(list[Any], config.get("modules_in_block_to_quantize") or []):
        names += [str(name) for name in (cast(list[Any], entry) if isinstance(entry, list) else [entry])]
    return names


def _refuse_old_gptq(config: Mapping[str, Any], size: int, checkpoint: Checkpoint) -> None:
    """vLLM 0.33.0, quantization/auto_gptq.py, utils/gptq_utils.py and utils/marlin_utils.py."""
    if config.get("desc_act") and size != -1:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no GPTQ with desc_act and groups")
    if config.get("sym") is False:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no GPTQ without sym")
    if size not in _MARLIN_GROUPS:
        raise UnreadableConfigError(f"quantization_config: vLLM 0.33 serves no GPTQ in groups of {size}")
    if size == -1 and config.get("bits") == 8 and LinearPart.EXPERTS in checkpoint.parts:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no experts in GPTQ of 8 bits without groups")


def _refuse_other_rounding(config: Mapping[str, Any]) -> None:
    """AutoRound also writes floating formats (vLLM 0.33.0, quantization/inc/inc.py)."""
    kind = config.get("data_type", "int")
    if kind != "int":
        raise UnreadableConfigError(f"quantization_config: auto-round with a data_type of {kind} is not modelled")
    packing = config.get("packing_format") or _ROUNDED[0]
    if packing not in _ROUNDED:
        raise UnreadableConfigError(f"quantization_config: vLLM 0.33 serves no integers that are packed as {packing}")
