"""The published configs that the catalogue was read from, in short: python -m tests.unit.configs.published writes them.

They lie in aiconfigurator-core (Apache-2.0), which only the environment of vLLM's own code has. Lists with a name for
each layer and expert are written as patterns, and what no reader of any model asks for is left out.
"""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any, cast

from oracle.published import published
from oracle.question import Config

_FILE = Path(__file__).with_suffix(".jsonl")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_MANY = 24
"""Entries from which a list is written as patterns."""
_LEFT_OUT = re.compile(
    r"_token_(id|index)$|^auto_map$|^id2label$|^label2id$|beam|penalty|dropout|_range$|^transformers_version$|^_name_or_path$|"
    r"^temperature$|^top_[kp]$|^typical_p$|^output_|^tf_|^torchscript$|^pruned_heads$|^finetuning_task$|^prefix$|"
    r"^problem_type$|^task_specific|bad_words|suppress_tokens|^return_dict|^use_cache$|^use_bfloat16$|grid_pinpoints"
)
_NAMES, _KEYS = "~names", "~keys"


def configs() -> list[Config]:
    """Every published config, as far as it is read."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return [Config(**{**entry, **_whole(entry)}) for entry in map(json.loads, lines)]


def short(config: Config) -> Config:
    """The same without what is left out."""
    quantization = None if config.quantization is None else _pruned(dict(config.quantization))
    return Config(config.id, config.source, _pruned(dict(config.config)), quantization)


def _whole(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: _unpacked(entry[name]) for name in ("config", "quantization")}


def _pruned(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _pruned(cast(dict[str, Any], inner)) if isinstance(inner, dict) else inner
        for key, inner in value.items()
        if not _LEFT_OUT.search(key)
    }


def _packed(value: Any) -> Any:
    if isinstance(value, list):
        names = cast(list[Any], value)
        if len(set(map(str, names))) >= _MANY and all(isinstance(name, str) for name in names):
            return {_NAMES: _patterns(names)}
        return names
    if not isinstance(value, dict):
        return value
    fields = cast(dict[str, Any], value)
    if len(fields) < _MANY or not all(isinstance(inner, dict) for inner in fields.values()):
        return {key: _packed(inner) for key, inner in fields.items()}
    kinds = {json.dumps(inner): inner for inner in fields.values()}
    return {
        _KEYS: [[kinds[kind], _patterns([k for k, v in fields.items() if json.dumps(v) == kind])] for kind in kinds]
    }


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    fields = cast(dict[str, Any], value)
    if _NAMES in fields:
        return _spelled(fields[_NAMES])
    if _KEYS in fields:
        return {name: inner for inner, patterns in fields[_KEYS] for name in _spelled(patterns)}
    return {key: _unpacked(inner) for key, inner in fields.items()}


def _patterns(names: list[str]) -> list[list[Any]]:
    """Names that differ by their numbers alone: the name with `{}` for each, and the numbers that each takes."""
    alike: dict[str, list[tuple[int, ...]]] = {}
    for name in names:
        alike.setdefault(_NUMBER.sub("{}", name), []).append(tuple(map(int, _NUMBER.findall(name))))
    found: list[list[Any]] = []
    for pattern, numbers in alike.items():
        columns = [sorted(set(column)) for column in zip(*numbers, strict=True)]
        if sorted(numbers) == list(product(*columns)):
            found.append([pattern, *map(_ranges, columns)])
        else:
            found += [[pattern.format(*each)] for each in numbers]
    return found


def _spelled(patterns: list[list[Any]]) -> list[str]:
    return [pattern.format(*each) for pattern, *columns in patterns for each in product(*map(_numbers, columns))]


def _ranges(numbers: list[int]) -> str:
    """Neighbours are written by their ends: 0-3 7."""
    ends: list[list[int]] = []
    for number in numbers:
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in ends)


def _numbers(ranges: str) -> list[int]:
    ends = [list(map(int, part.split("-"))) for part in ranges.split()]
    return [number for low, *high in ends for number in range(low, (high or [low])[0] + 1)]


def main() -> None:
    lines = [
        {"id": c.id, "source": c.source, "config": _packed(c.config), "quantization": _packed(c.quantization)}
        for c in map(short, published())
    ]
    _FILE.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
