"""What vLLM's own code said of a model: bytes of weights, the KV cache's blocks, and the shapes it refuses.

One file for each release and model, written by `python -m oracle record`. A card reads what was asked for its own
compute capability and nothing else: kernels pad and pack differently on each.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from catalog._entry import Entry, InvalidEntry
from catalog.model import MODELS, KvCacheDtype, Model

RECORDED = Path(__file__).parent / "recorded"
"""A folder for each release, in it a file for each model of the catalogue."""

Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(gt=0, lt=2**63)]


class RecordedGroup(Entry):
    """Layers that share block tables. All groups of a cache draw their blocks from one pool."""

    kind: Literal["full", "sliding", "chunked", "state"] = "full"
    tables: Count = Field(default=1, description="groups of this kind, each with its own blocks")
    tokens: Count = Field(description="tokens of one block")
    window: Count | None = Field(default=None, description="tokens that a sliding or chunked layer looks back")
    blocks: Count | None = Field(default=None, description="state: blocks of one request, whatever its length")

    @model_validator(mode="after")
    def _says_how_it_grows(self) -> Self:
        if (self.window is not None) != (self.kind in ("sliding", "chunked")):
            raise ValueError(f"window belongs to sliding and chunked groups, and this one is {self.kind}")
        if (self.blocks is not None) != (self.kind == "state"):
            raise ValueError(f"blocks belong to groups of states, and this one is {self.kind}")
        return self


class RecordedCase(Entry):
    """One way to serve the model, and either what each GPU then holds or why vLLM refuses to start."""

    tensor: Count = Field(default=1, description="ranks of tensor parallel")
    pipeline: Count = Field(default=1, description="stages")
    expert_parallel: bool = Field(default=False, description="experts are dealt out whole to the tensor ranks")
    cache: KvCacheDtype = Field(default=KvCacheDtype.AUTO, description="--kv-cache-dtype")
    draft_tokens: int = Field(default=0, ge=0, description="tokens that the model's own MTP layers propose")
    weights: tuple[Bytes, ...] = Field(default=(), description="bytes on the fullest GPU of each stage, as allocated")
    block_bytes: tuple[Bytes, ...] = Field(default=(), description="bytes of one block of the pool, of each stage")
    groups: tuple[RecordedGroup, ...] = Field(default=(), description="of one request; empty: it has no cache")
    refusal: str | None = Field(default=None, description="vLLM's own words where it does not start")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        stages = 0 if self.refusal is not None else self.pipeline
        if len(self.weights) != stages or len(self.block_bytes) != stages:
            raise ValueError(f"weights and blockBytes have one number for each of {stages} stages")
        return self


class Record(Entry):
    """What one release said of one model, for each compute capability that it was asked for."""

    model: str = Field(description="Hugging Face model id")
    vllm: str = Field(description="the release")
    config: str = Field(description="where the config.json came from")
    digest: str = Field(description="SHA-256 of the config.json, and of the hf_quant_config.json beside it")
    capabilities: dict[str, tuple[RecordedCase, ...]] = Field(description="compute capability to cases")

    def case(
        self, capability: str, tensor: int, pipeline: int, expert_parallel: bool, cache: KvCacheDtype, draft_tokens: int
    ) -> RecordedCase | None:
        """What was said of exactly that; None where nobody asked."""
        key = (tensor, pipeline, expert_parallel, cache, draft_tokens)
        for case in self.capabilities.get(capability, ()):
            if key == (case.tensor, case.pipeline, case.expert_parallel, case.cache, case.draft_tokens):
                return case
        return None


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
