"""What vLLM's own code said of a model: bytes of weights, the KV cache's blocks, and the shapes it refuses.

One file for each release and model, written by `python -m oracle record`. A card reads what was asked for its own
compute capability and nothing else: kernels pad and pack differently on each.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from catalog._entry import InvalidEntry
from catalog._record import Record, RecordedCase, RecordedGroup, Way
from catalog.model import MODELS, Model

__all__ = [
    "RECORDED",
    "Record",
    "RecordedCase",
    "RecordedGroup",
    "Way",
    "beside",
    "digest_of",
    "file_of",
    "read_record",
    "record_of",
    "with_records_beside",
]

RECORDED = Path(__file__).parent / "recorded"
"""A folder for each release, in it a file for each model of the catalogue."""


def file_of(model: str, vllm: str) -> Path:
    """The file for the record of a catalogue model, whether it exists or not."""
    return RECORDED / vllm / f"{model.replace('/', '--')}.json"


def beside(config: Path, vllm: str) -> Path:
    """The file for the record of another `config.json`, whether it exists or not."""
    return config.with_name(f"{config.stem}.vllm-{vllm}.json")


def with_records_beside(model: Model, config: Path) -> Model:
    """The model that was read from that `config.json`, with the records beside it.

    Raises OSError, or InvalidEntry where a record is of another config.json, which names the file.
    """
    quantization = config.with_name("hf_quant_config.json")
    records: list[Record] = []
    for file in sorted(config.parent.glob(f"{config.stem}.vllm-*.json")):
        record = read_record(file)
        parts = [json.loads(part.read_text(encoding="utf-8")) for part in (config, quantization) if part.exists()]
        if record.digest != digest_of(*parts):
            raise InvalidEntry(f"{file.name} is of another {config.name}; write it again with python -m oracle record")
        records.append(record)
    return model.with_records(tuple(records)) if records else model


def read_record(file: Path) -> Record:
    """The record in that file. Raises OSError, or InvalidEntry, which names the file."""
    try:
        return Record.model_validate(json.loads(file.read_text(encoding="utf-8")), by_alias=True, by_name=False)
    except (ValueError, ValidationError) as error:
        raise InvalidEntry(f"{file.name}: {error}") from error


def digest_of(config: Mapping[str, object], quantization: Mapping[str, object] | None = None) -> str:
    """The digest of a config.json and the hf_quant_config.json beside it; the order of their keys does not matter."""
    text = json.dumps([config, quantization], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4096)
def record_of(model: Model, vllm: str) -> Record | None:
    """What that release said of exactly this model; None where it was not asked, or the model was changed since."""
    for record in model.records:
        if record.vllm == vllm:
            return record
    if model.id not in MODELS or model != MODELS[model.id]:
        return None
    file = file_of(model.id, vllm)
    return read_record(file) if file.exists() else None
