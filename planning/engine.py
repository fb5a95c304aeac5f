"""How each release of vLLM accounts for memory, and the flags and cards that its defaults depend on."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from catalog.model import KvCacheDtype, Model


class Runner(StrEnum):
    """vLLM's two model runners, which profile memory differently."""

    V1 = "V1"
    V2 = "V2"


@dataclass(frozen=True)
class Engine:
    """How one release of vLLM accounts for memory."""

    release: str
    measured: bool
    gpu_memory_utilization: float
    every_model_v2: bool
    charges_v2_graphs: bool
    charges_v2_state: bool
    sliding_window_batches: int
    """Batches in flight that a sliding window keeps blocks for, besides the pipeline's own."""
    batched_tokens_huge: int
    """`max_num_batched_tokens` on GPUs of 160 GiB and more."""

    def runner(self, model: Model) -> Runner:
        return Runner.V2 if self.every_model_v2 or model.architecture in _V2_ARCHITECTURES else Runner.V1


# vllm/config/vllm.py of 0.24.0, DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES.
_V2_ARCHITECTURES = frozenset(
    {
        "Qwen3ForCausalLM",
        "DeepseekV2ForCausalLM",
        "Qwen2MoeForCausalLM",
        "GraniteMoeForCausalLM",
        "LlamaForCausalLM",
        "MistralForCausalLM",
    }
)
_AT_0_24 = Engine(
    release="0.24",
    measured=True,
    gpu_memory_utilization=0.92,
    every_model_v2=False,
    charges_v2_graphs=False,
    charges_v2_state=False,
    sliding_window_batches=0,
    batched_tokens_huge=8192,
)
_NEAR_0_24 = replace(_AT_0_24, measured=False)
_BEFORE_0_20 = replace(_NEAR_0_24, gpu_memory_utilization=0.90)
_FROM_0_33 = Engine(
    release="0.33",
    measured=False,
    gpu_memory_utilization=0.92,
    every_model_v2=True,
    charges_v2_graphs=True,
    charges_v2_state=True,
    sliding_window_batches=1,
    batched_tokens_huge=16384,
)


@lru_cache
def engine_of(version: str) -> Engine:
    """The behaviour of that release, or of the nearest that was looked into (0.24 or 0.33). Raises ValueError."""
    parts = version.removeprefix("v").split(".")
    if not 2 <= len(parts) <= 4 or not all(part.isdigit() for part in parts[:2]):
        raise ValueError(f"{version!r} is not a vLLM release such as 0.33.0")
    number = (int(parts[0]), int(parts[1]))
    if number >= (0, 33):
        return _FROM_0_33
    if number == (0, 24):
        return _AT_0_24
    return _NEAR_0_24 if number >= (0, 20) else _BEFORE_0_20


@dataclass(frozen=True)
class Card:
    """One GPU as the memory model sees it."""

    name: str
    torch_gib: float
    measured: bool

    @property
    def large(self) -> bool:
        """vLLM's own rule for its larger defaults."""
        return self.torch_gib >= 70 and not self.name.startswith("a100")


@dataclass(frozen=True)
class ServeSettings:
    """The flags of `vllm serve` that decide memory, resolved."""

    max_model_len: int
    gpu_memory_utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO
    block_size: int = 16
    enforce_eager: bool = False
    compile_cache: bool = False
    """Whether torch.compile finds its cache; a cold one needs more while it profiles."""


def default_max_num_seqs(card: Card) -> int:
    return 1024 if card.large else 256


def default_max_num_batched_tokens(card: Card, engine: Engine) -> int:
    if card.torch_gib >= 160:
        return engine.batched_tokens_huge
    return 8192 if card.large else 2048


def capture_sizes(settings: ServeSettings) -> tuple[int, ...]:
    """The batch sizes that vLLM captures CUDA graphs for."""
    largest = min(2 * settings.max_num_seqs, 512, settings.max_num_batched_tokens)
    return tuple(size for size in (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16)) if size <= largest)
