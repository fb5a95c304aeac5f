"""What vLLM is asked of a model: every shape that a plan may choose, with its own drafts and another cache format."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.model import KvCacheDtype
from catalog.recorded import digest_of

TENSOR = (1, 2, 4, 8)
PIPELINE = (1, 2)
DRAFT_TOKENS = (1, 2, 3)


@dataclass(frozen=True)
class Config:
    """A model's files, and where they came from."""

    id: str
    source: str
    config: Mapping[str, Any]
    quantization: Mapping[str, Any] | None = None

    @property
    def digest(self) -> str:
        return digest_of(self.config, self.quantization)

    @property
    def text(self) -> Mapping[str, Any]:
        """The part that describes the language model."""
        return next((self.config[name] for name in _TEXT if isinstance(self.config.get(name), dict)), self.config)

    @property
    def has_experts(self) -> bool:
        return any(self.text.get(name) for name in _EXPERTS)

    @property
    def draft_layers(self) -> int:
        """MTP layers of its own, that propose tokens."""
        return next((int(self.text[name]) for name in _DRAFTS if self.text.get(name)), 0)


_TEXT = ("text_config", "llm_config", "language_config", "thinker_config")
_EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
_DRAFTS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")


@dataclass(frozen=True)
class Question:
    """One way to serve one model."""

    config: Config
    tensor: int = 1
    pipeline: int = 1
    expert_parallel: bool = False
    cache: KvCacheDtype = KvCacheDtype.AUTO
    draft_tokens: int = 0

    @property
    def ranks(self) -> int:
        return self.tensor * self.pipeline

    @property
    def is_plain(self) -> bool:
        """Ranks and stages alone, with the cache that vLLM takes by itself."""
        return not (self.expert_parallel or self.draft_tokens or self.cache is not KvCacheDtype.AUTO)

    @property
    def shape(self) -> str:
        parts = [f"TP {self.tensor}", f"PP {self.pipeline}"]
        parts += ["EP"] if self.expert_parallel else []
        parts += [f"cache {self.cache}"] if self.cache is not KvCacheDtype.AUTO else []
        parts += [f"MTP {self.draft_tokens}"] if self.draft_tokens else []
        return ", ".join(parts)

    @property
    def key(self) -> str:
        """The same for the same files and shape."""
        return hashlib.sha256(f"{self.config.digest} {self.shape}".encode()).hexdigest()[:32]

    def line(self, kinds: Mapping[str, Any] | None) -> str:
        """The line that vLLM's half of the oracle reads, with the layers that are known to be alike."""
        return json.dumps(
            {
                "config": self.config.config,
                "quantization": self.config.quantization,
                "tensor": self.tensor,
                "pipeline": self.pipeline,
                "expert_parallel": self.expert_parallel,
                "cache": self.cache.value,
                "draft_tokens": self.draft_tokens,
                "kinds": kinds,
            }
        )


def every_shape(config: Config, *, thorough: bool = True) -> Iterator[Question]:
    """Every shape of one node; `thorough`: also two stages, experts dealt out whole, an fp8 cache and MTP."""
    yield from (Question(config, tensor) for tensor in TENSOR)
    if not thorough:
        return
    yield from (Question(config, tensor, pipeline) for pipeline in PIPELINE[1:] for tensor in TENSOR)
    if config.has_experts:
        yield from (Question(config, tensor, expert_parallel=True) for tensor in TENSOR[1:])
    yield from (Question(config, tensor, cache=KvCacheDtype.FP8) for tensor in TENSOR)
    if config.draft_layers:
        yield from (Question(config, tensor, draft_tokens=tokens) for tensor in TENSOR for tokens in DRAFT_TOKENS)


def by_use(questions: Iterable[Question]) -> list[Question]:
    """The usual shapes of all models first, then the others, and drafts last."""
    return sorted(questions, key=lambda q: (bool(q.draft_tokens), not q.is_plain or q.pipeline > 1))
