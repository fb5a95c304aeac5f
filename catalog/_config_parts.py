"""Which parts of a model have which format, from the lists of modules that a checkpoint has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from catalog._config_reader import UnreadableConfigError, whole_number
from catalog._formats import LinearPart, Quantization, StoredOtherwise, WeightFormat
from catalog._module_names import Match, ModuleList, ModuleNames


@dataclass(frozen=True)
class Checkpoint:
    """What of the model its description needs."""

    layers: int
    parts: frozenset[LinearPart]
    names: ModuleNames


FormatOf = Callable[[LinearPart, int | None], WeightFormat | None]
"""How a part of a layer is stored; the layer is None for a part outside the layers."""

_WHOLE = frozenset({LinearPart.OUTPUT_EMBEDDING, LinearPart.VISION})


def excepting(
    main: Quantization,
    skipped: list[str],
    match: Match,
    checkpoint: Checkpoint,
    outside: frozenset[LinearPart] = frozenset(),
) -> Quantization:
    """The main format, but for what a list names. `outside` are the parts beside the layers that may have it."""
    known = ModuleList(skipped)

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        if part in _WHOLE - outside:
            return None
        return None if checkpoint.names.named(part, layer, known, match) else main.format

    return described(main, format_of, checkpoint)


def nothing_but(main: Quantization, only: list[str], checkpoint: Checkpoint) -> Quantization:
    """The main format for what a list names, and no other part."""
    known = ModuleList(only)

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        named = part not in _WHOLE and checkpoint.names.named(part, layer, known, Match.SUBSTRING)
        return main.format if named else None

    return described(main, format_of, checkpoint)


def mixed(
    groups: list[tuple[list[str], Quantization]], skipped: list[str], checkpoint: Checkpoint, match: Match
) -> Quantization:
    """Parts take the format of the group that names them; the first group's is the main one."""
    known = ModuleList(skipped)
    by_name = [(set(targets), patterns(targets), scheme) for targets, scheme in groups]

    def format_of(part: LinearPart, layer: int | None) -> WeightFormat | None:
        if checkpoint.names.named(part, layer, known, match):
            return None
        for names, patterns, scheme in by_name:
            spelled = any(name in names for name in checkpoint.names.spelled(part, layer))
            if spelled or checkpoint.names.named(part, layer, patterns, Match.EXPRESSION):
                return scheme.format
        whole = next((scheme.format for targets, scheme in groups if is_everything(targets)), None)
        return None if part in _WHOLE else whole

    return described(together([scheme for _, scheme in groups]), format_of, checkpoint)


def together(schemes: list[Quantization]) -> Quantization:
    """The first scheme, with the blocks and groups of the others. Raises UnreadableConfigError where they differ."""
    main = schemes[0]
    for scheme in schemes[1:]:
        for field in ("block", "group"):
            ours, theirs = getattr(main, field), getattr(scheme, field)
            if ours is not None and theirs is not None and ours != theirs:
                raise UnreadableConfigError(f"quantization_config: formats with a {field} of {ours} and of {theirs}")
        main = main.model_copy(
            update={
                "block": main.block or scheme.block,
                "group": main.group or scheme.group,
                "zero_points": main.zero_points or scheme.zero_points,
                "only_on": main.only_on & scheme.only_on or main.only_on | scheme.only_on,
            }
        )
    return main


def patterns(targets: list[str]) -> ModuleList:
    return ModuleList(target for target in targets if target.startswith("re:") or "*" in target)


def is_everything(targets: list[str]) -> bool:
    return any(target in ("Linear", "re:.*") for target in targets)


def described(main: Quantization, format_of: FormatOf, checkpoint: Checkpoint) -> Quantization:
    """The shortest description that gives the same answer for every part and layer."""
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
    formats = {main.format, *(other.format for other in otherwise)}
    unused = {} if formats & {WeightFormat.INT4, WeightFormat.INT8} else {"group": None}
    unused |= {} if WeightFormat.FP8 in formats else {"block": None}
    return main.model_copy(update={"otherwise": tuple(otherwise), **unused})


def refuse_without(config: Mapping[str, Any], method: str, *keys: tuple[str, ...]) -> None:
    """vLLM ends without one name of each key (vllm/model_executor/layers/quantization/base_config.py, get_from_keys,
    and what asks it, 0.33.0)."""
    for names in keys:
        if not any(name in config for name in names):
            raise UnreadableConfigError(f"quantization_config: vLLM 0.33 serves no {method} without {names[-1]}")


def names_in(config: Mapping[str, Any], *keys: str) -> list[str]:
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


def cards_of_block(block: int | None) -> frozenset[str]:
    """The compute capabilities on which vLLM 0.33.0 serves fp8 in blocks of that side; empty: all. Elsewhere it ends
    with a shape that it did not expect (its own code, asked for a side of 64 on 2026-11-29)."""
    return frozenset({"9.0"}) if block not in (None, 128) else frozenset()


def square_block(sides: Any) -> int:
    """The rows and columns that share a scale, which are as many."""
    block = [whole_number("quantization_config: the side of a block", int(side)) for side in cast(list[Any], sides)]
    if len(block) != 2 or block[0] != block[1]:
        raise UnreadableConfigError(f"quantization_config: blocks of {' x '.join(map(str, block))} are not modelled")
    return block[0]
