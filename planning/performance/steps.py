"""What is asked of the library, and the words in which it is answered."""

from dataclasses import dataclass
from typing import Protocol

from catalog.model import KvCacheDtype


class Unknown(Exception):
    """There is no estimate; the message says why in one line."""


class LibraryMissing(Exception):
    """The estimates need a package that is not installed; the message says what to do."""


@dataclass(frozen=True)
class Deployment:
    """One replica, as far as its speed depends on it."""

    tensor_parallel: int
    pipeline_parallel: int = 1
    expert_parallel: bool = False
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO

    @property
    def key(self) -> str:
        experts = " EP" if self.expert_parallel else ""
        return f"TP {self.tensor_parallel} PP {self.pipeline_parallel}{experts} KV {self.kv_cache_dtype.value}"


@dataclass(frozen=True)
class Step:
    """One step of the engine: tokens of prompts, or none, beside so many sequences that each get a token."""

    prompt_tokens: int
    """New ones; those of a prefix that the cache holds are not computed."""
    sequences: int
    input_tokens: int
    """The input tokens of one request, its prefix included."""
    output_tokens: int
    prefix_tokens: int = 0

    @property
    def key(self) -> str:
        return f"{self.prompt_tokens} {self.sequences} {self.input_tokens} {self.output_tokens} {self.prefix_tokens}"


class Steps(Protocol):
    """The steps of one deployment on one accelerator."""

    def milliseconds(self, step: Step) -> float:
        """Raises Unknown."""
        ...
