"""Configs that are hard to read, as questions to vLLM's own code, and its recorded answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from catalog.model import KvCacheDtype
from oracle.question import Config, Question

_FILE = Path(__file__).with_suffix(".yaml")
ANSWERS = Path(__file__).with_suffix(".json")
"""The answers of vLLM 0.33.0 by compute capability, and by variant and shape."""

UNMODELLED = {
    "auto-round-mxfp4": "a data_type of mx_fp",
    "gptq-dynamic-bits": "dynamic gives",
    "modelopt-nvfp4-cache": "a KV cache in nvfp4",
}
"""What vLLM serves and the plan refuses, with the words by which it does."""
_CUT = "vLLM counts the scales of a shard down to whole ones, so that the second rank begins at the wrong one"
_BY_COLUMN = "experts in integers by column are served, but not on Hopper, and the plan refuses them everywhere"
_EVERYWHERE = {
    "fbgemm": "vLLM wants a flag for it, and the plan says which",
    "ct-nvfp4-cut": _CUT,
    "ct-mxfp4-cut": _CUT,
}
_BEYOND_HOPPER = {
    "ct-int8-experts-by-column": _BY_COLUMN,
    "ct-int4-experts-by-column": _BY_COLUMN,
    "gptq-8-experts-by-column": _BY_COLUMN,
}
_ON_HOPPER = {"ct-mxfp8-cut": _CUT}
_ON_A100 = {
    "ct-block": "compressed-tensors keeps the scales of blocks there as they are, 1.2 per cent less than Marlin's"
}


def excuse(name: str, capability: str) -> str | None:
    """Why the plan says otherwise than vLLM of that variant on that card; None: it does not."""
    beyond = _ON_HOPPER if capability == "9.0" else _BEYOND_HOPPER
    return {**_EVERYWHERE, **beyond, **(_ON_A100 if capability == "8.0" else {})}.get(name)


def questions() -> list[tuple[str, Question]]:
    """Every shape of every variant, with its key."""
    written = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return [
        (f"{name}: {question.shape}", question)
        for name, variant in written["variants"].items()
        for question in _of(name, variant, written["bases"][variant["base"]])
    ]


def answers() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(ANSWERS.read_text(encoding="utf-8"))


def _of(name: str, variant: dict[str, Any], base: dict[str, Any]) -> Iterator[Question]:
    changed = {**base, **variant.get("with", {})}
    config = Config(
        f"variant/{name}", "a test", {k: v for k, v in changed.items() if v is not None}, variant.get("beside")
    )
    for pipeline in variant.get("pipeline", [1]):
        for tensor in variant.get("tensor", [1]):
            yield Question(
                config,
                tensor,
                pipeline,
                expert_parallel=variant.get("experts", False),
                cache=KvCacheDtype(variant.get("cache", "auto")),
                draft_tokens=variant.get("drafts", 0),
            )
