"""Finds the config of the library that describes the same model as ours: only such a model is estimated."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from catalog.hugging_face import UnreadableConfigError, model_from_config
from catalog.model import Model

_NOT_OF_SPEED: dict[str, Any] = {
    **dict.fromkeys(
        (
            "id",
            "title",
            "sources",
            "note",
            "minimum_vllm",
            "checkpoint_gib",
            "context",
            "draft_layers",
            "order",
            "rotary",
            "vision",
        ),
        True,
    ),
    "experts": {"renormalised": True},
}
"""The fields of a model that do not change its speed; a text request does not reach the vision encoder, and
experts are as fast whether their shares sum to one or not."""
_CONFIG, _QUANTIZATION = "_config.json", "_hf_quant_config.json"


def speed_facts(model: Model) -> str:
    """What two models share that are equally fast, in one line of JSON."""
    return model.model_dump_json(exclude=_NOT_OF_SPEED)


def counterparts(model: Model, folder: Path) -> Iterator[str]:
    """The ids of the configs in the library's folder that describe a model of the same speed; its own id first."""
    own = folder / f"{model.id.replace('/', '--')}{_CONFIG}"
    files = [file for file in sorted(folder.glob(f"*{_CONFIG}")) if not file.name.endswith(_QUANTIZATION)]
    facts = speed_facts(model)
    for file in sorted(files, key=lambda file: file != own):
        config = _read(file)
        if _hidden_size(config) != model.hidden_size:
            continue
        name = file.name.removesuffix(_CONFIG).replace("--", "/", 1)
        beside = file.with_name(file.name.replace(_CONFIG, _QUANTIZATION))
        try:
            found = model_from_config(config, name, _read(beside) if beside.exists() else None)
        except UnreadableConfigError:
            continue
        if speed_facts(found) == facts:
            yield name


def _read(file: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))


def _hidden_size(config: dict[str, Any]) -> object:
    text = config.get("text_config")
    inner = cast(dict[str, Any], text) if isinstance(text, dict) else {}
    return config.get("hidden_size", inner.get("hidden_size"))
