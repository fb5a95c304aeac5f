"""`python -m maintenance.configuration_page`: makes docs/configuration.md from the models that read a stack file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Gt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from catalog import MODELS, VLLM_RELEASES
from config import NAMESPACE, Settings
from config.effect import effects
from config.settings import HUGGING_FACE_TOKEN

_HEAD = f"""# Configuration

Made by `make record` from the models that read a stack file; do not edit. Keys stand under `config:` in
`Pulumi.<stack>.yaml` with the prefix `{NAMESPACE}:`; `[]` is any position of a list, and a field that differs by its
mapping's `kind` stands here once for each. *Effect* is the most that a change tears down and builds again.

`{HUGGING_FACE_TOKEN}` is the one secret: `pulumi config set --secret {NAMESPACE}:{HUGGING_FACE_TOKEN}`. Editors
complete and check these keys by [the schema](stack.schema.json), which the first line of each stack file names.

"""
_COLUMNS = ("Key", "Type", "Default", "Unit", "Effect", "Example", "What it is")

_UNITS = (
    (r"Gib$", "GiB"),
    (r"UsdPerHour$", "US dollars an hour"),
    (r"Hours$", "hours"),
    (r"NodesPerZone$|nodes\.(min|max)$|maxSurge$|maxUnavailable$", "nodes"),
    (r"tensorParallel$", "GPUs"),
    (r"pipelineParallel$", "stages"),
    (r"(?i)context$|ModelLen$|BatchedTokens$|promptLookupM|\]\.window$|ropeCacheTokens$|tokensPerImage$", "tokens"),
    (r"Concurrency$|maxNumSeqs$|QueuedReqs$", "requests"),
    (r"replicas$", "servers"),
    (r"MemoryUtilization$", "fraction"),
    (r"PodsPerNode$", "pods"),
    (r"BytesPer", "bytes"),
    (r"\.(start|end)$", "UTC"),
)
"""The unit of a number, by words of its path; without a match it is a plain number or a name."""


_EXAMPLES = {
    "project": "acme-inference",
    "nodePools[].name": "h200",
    "nodePools[].accelerator": "h200",
    "nodePools[].machineType": "a3-ultragpu-8g",
    "nodePools[].zone": "us-central1-b",
    "nodePools[].capacity.name": "inference-production",
    "nodePools[].capacity.block": "block-1",
    "nodePools[].capacity.subBlock": "sub-block-1",
    "nodePools[].capacity.project": "acme-reservations",
    "nodePools[].ncclInstaller": "gib-1.1.1",
    "nodePools[].secondaryBootDisk": "projects/acme-images/global/images/vllm",
    "leaderWorkerSet.chart": "oci://registry.example/charts/lws",
    "draDriver.chart": "oci://registry.example/charts/nvidia-dra-driver-gpu",
    "models[].name": "gemma-3-27b",
    "models[].model": "google/gemma-3-27b-it",
    "models[].definition.id": "acme/house-model",
    "models[].definition.title": "House model",
    "models[].definition.sources": "[https://acme.example/house-model]",
    "models[].definition.note": "fine-tuned in May",
    "models[].configFile": "models/house-model.json",
    "models[].nodePool": "h200",
    "models[].vllmVersion": min(VLLM_RELEASES),
    "models[].image": "acme.example/images/vllm:1",
    "models[].minContext": 32768,
    "models[].minConcurrency": 8,
    "models[].replicas": 2,
    "models[].tensorParallel": 8,
    "models[].pipelineParallel": 2,
    "models[].maxModelLen": 32768,
    "models[].maxNumSeqs": 256,
    "models[].maxNumBatchedTokens": 8192,
    "models[].weights.sizeGib": 700,
    "models[].engine.revision": "main",
    "models[].engine.tokenizerRevision": "main",
    "models[].engine.dtype": "bfloat16",
    "models[].engine.quantization": "fp8",
    "models[].engine.loadFormat": "runai_streamer",
    "models[].engine.safetensorsLoadStrategy": "eager",
    "models[].engine.performanceMode": "throughput",
    "models[].engine.attentionBackend": "FLASHINFER",
    "models[].engine.schedulingPolicy": "priority",
    "models[].engine.toolCallParser": "hermes",
    "models[].engine.reasoningParser": "qwen3",
    "models[].engine.generationConfig": "vllm",
    "models[].engine.uvicornLogLevel": "warning",
    "models[].engine.lora.adapters[].name": "support",
    "models[].engine.lora.adapters[].path": "acme/support-lora",
    "models[].engine.maxNumQueuedReqs": 512,
    "models[].engine.seed": 42,
    "models[].engine.lora.maxLoras": 4,
    "models[].engine.lora.maxLoraRank": 64,
    "models[].engine.speculative.method": "ngram",
    "models[].engine.speculative.tokens": 4,
    "models[].engine.speculative.model": "acme/draft",
    "models[].engine.speculative.modelGib": 1.5,
    "models[].engine.speculative.promptLookupMax": 5,
    "models[].engine.speculative.promptLookupMin": 2,
    "models[].engine.kvOffload.sizeGib": 200,
    "models[].engine.extraArgs": "[--enable-server-load-tracking]",
}
"""Examples of fields that have none of their own. Those of a model's definition come from the catalogue's models."""

_DEFINITION = "models[].definition."


@dataclass(frozen=True)
class Row:
    """One field as the page shows it."""

    path: str
    field: FieldInfo


def page() -> str:
    known = effects(Settings)
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    for row in rows():
        effect = known[row.path].value if row.path in known else "by field"
        cells = (
            f"`{row.path}`",
            _type(row.field),
            _default(row.field),
            _unit(row.path),
            effect,
            example(row),
            _description(row.field),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return _HEAD + "\n".join(lines) + "\n"


def rows(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Row]:
    """All fields of a stack file, including those that contain others."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield Row(path, field)
        many = "[]" if "tuple[" in str(field.annotation) else ""
        for nested in _models(field.annotation):
            yield from rows(nested, f"{path}{many}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _type(field: FieldInfo) -> str:
    return _name(field.annotation).replace("|", "\\|")


def _name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " | ".join(f"`{value}`" for value in get_args(annotation))
    if origin is tuple:
        return f"list of {_name(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    if origin is Union or "Union" in str(origin):
        return " | ".join(dict.fromkeys(_name(part) for part in get_args(annotation) if part is not type(None)))
    if origin is not None:
        return _name(get_args(annotation)[0])
    members = _members(annotation)
    if members:
        return " | ".join(f"`{member}`" for member in members)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return _PLAIN.get(annotation, "text")


_PLAIN: dict[Any, str] = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def _members(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return []


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined or default in ((), {}):
        return "-"
    if isinstance(default, BaseModel):
        return "as below"
    return _code(default.value if isinstance(default, Enum) else default)


def _unit(path: str) -> str:
    return next((unit for pattern, unit in _UNITS if re.search(pattern, path)), "-")


def example(row: Row) -> str:
    """The field's own example, else a value of its type; for a mapping, the examples of its fields."""
    field = row.field
    if field.examples or row.path in _EXAMPLES:
        return _code(field.examples[0] if field.examples else _EXAMPLES[row.path])
    name = _name(field.annotation)
    if name.startswith("list of mapping") or name == "mapping":
        return "see its fields" if list(_models(field.annotation)) else "`{key: value}`"
    if "`" in name:
        return _code(name.split("`")[1])
    if name.startswith("true"):
        return _code(field.get_default() is not True)
    real = _in_the_catalogue(row.path)
    if real is not None or "number" not in name:
        return "see right" if real is None else _code(real)
    low = [
        cast(int, rule.ge if isinstance(rule, Ge) else rule.gt) for rule in field.metadata if isinstance(rule, Ge | Gt)
    ]
    default: Any = field.get_default()
    number = default if isinstance(default, int | float) else max([1, *low]) if "whole" in name else 0.9
    return _code(number)


def _in_the_catalogue(path: str) -> Any:
    """The value of this field in the first model of the catalogue that has it."""
    if not path.startswith(_DEFINITION):
        return None
    keys = path.removeprefix(_DEFINITION).replace("[]", "").split(".")
    definitions = (model.model_dump(mode="json", by_alias=True) for model in MODELS.values())
    return next((value for each in definitions if (value := _first(each, keys)) not in (None, [], False)), None)


def _first(value: Any, keys: list[str]) -> Any:
    if not keys:
        return value
    if isinstance(value, list):
        return next((found for each in cast(list[Any], value) if (found := _first(each, keys)) is not None), None)
    return _first(cast(dict[str, Any], value).get(keys[0]), keys[1:]) if isinstance(value, dict) else None


def _code(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _description(field: FieldInfo) -> str:
    return (field.description or "").replace("\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
