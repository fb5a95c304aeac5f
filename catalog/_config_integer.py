"""Integer formats by groups: awq, gptq and auto-round in a `quantization_config`."""

from collections.abc import Mapping
from typing import Any, cast

from catalog._config_parts import Checkpoint, excepting, names_in, nothing_but
from catalog._config_reader import UnreadableConfigError, mapping, whole_number
from catalog._formats import LinearPart, Quantization, WeightFormat
from catalog._module_names import Match


def integer_groups(config: Mapping[str, Any], method: str, checkpoint: Checkpoint) -> Quantization:
    bits = whole_number("quantization_config.bits", config.get("bits", config.get("w_bit", 4)))
    if bits not in (4, 8):
        raise UnreadableConfigError(f"quantization_config: {bits} bits of {method} are not modelled")
    group = config.get("group_size", config.get("q_group_size", 128))
    if "gptq" in method:
        _refuse_old_gptq(config, group)
    size = whole_number("quantization_config.group_size", group)
    asymmetric = bool(config.get("zero_point", "awq" in method)) or config.get("sym") is False
    main = Quantization(
        format=WeightFormat.INT8 if bits == 8 else WeightFormat.INT4,
        group=size if size > 0 else None,
        zero_points=asymmetric,
        wide_zero_points=asymmetric and "awq" in method,
        finer_expert_groups=True,
    )
    # A part of a name, so that an expression is none (auto_awq.py, 0.33.0); GPTQ's `dynamic` alone has those.
    skipped = [name for name in names_in(config, "modules_to_not_convert") if not name.startswith("re:")]
    only = _quantised_alone(config)
    for name, change in mapping(config.get("dynamic")).items():
        if name.startswith("-:"):
            skipped.append(f"re:{name.removeprefix('-:')}")
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


def _refuse_old_gptq(config: Mapping[str, Any], group: Any) -> None:
    """vLLM 0.33.0, quantization/auto_gptq.py and utils/gptq_utils.py."""
    if config.get("desc_act") and group != -1:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no GPTQ with desc_act and groups")
    if config.get("sym") is False:
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no GPTQ without sym")
