"""The form of a record: what vLLM's own code said of a model, one case for each way to serve it."""

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from catalog._entry import Entry
from catalog._formats import Count, KvCacheDtype

Bytes = Annotated[int, Field(ge=0)]


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


class Way(NamedTuple):
    """One way to serve a model: what a case is found by."""

    tensor: int = 1
    pipeline: int = 1
    expert_parallel: bool = False
    cache: KvCacheDtype = KvCacheDtype.AUTO
    draft_tokens: int = 0


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

    @property
    def way(self) -> Way:
        return Way(self.tensor, self.pipeline, self.expert_parallel, self.cache, self.draft_tokens)


class Record(Entry):
    """What one release said of one model, for each compute capability that it was asked for."""

    model: str = Field(description="Hugging Face model id")
    vllm: str = Field(description="the release")
    config: str = Field(description="where the config.json came from")
    digest: str = Field(description="SHA-256 of the config.json, and of the hf_quant_config.json beside it")
    capabilities: dict[str, tuple[RecordedCase, ...]] = Field(description="compute capability to cases")

    def case(self, capability: str, way: Way) -> RecordedCase | None:
        """What was said of exactly that; None where nobody asked."""
        return next((case for case in self.capabilities.get(capability, ()) if case.way == way), None)
