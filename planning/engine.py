"""How each release of vLLM accounts for memory, and the flags and cards that its defaults depend on."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from catalog import VLLM_RELEASES, Basis, VllmRelease
from catalog.model import KvCacheDtype, Model
from planning.decision import Decision
from planning.kv_cache import OLDER_STATES, StateRules


class Runner(StrEnum):
    """vLLM's two model runners, which profile memory differently."""

    V1 = "V1"
    V2 = "V2"


@dataclass(frozen=True)
class Engine:
    """How one release of vLLM accounts for memory, and what it does with flags that are not given."""

    version: str
    """The release that was asked for."""
    release: str
    """The one whose behaviour this is."""
    measured_cards: frozenset[str]
    """Cards on which this very release was measured."""
    measured_tensor: int
    """The most ranks that it was measured with."""
    measured_architectures: frozenset[str]
    """Classes that it was measured with."""
    gpu_memory_utilization: float
    block_size: int
    max_num_seqs: tuple[int, int]
    """On small GPUs, and on large ones."""
    max_num_batched_tokens: tuple[int, int, int]
    """On small, large and huge GPUs."""
    large_gib: int
    huge_gib: int
    every_model_v2: bool = False
    charges_v2_graphs: bool = False
    charges_v2_state: bool = False
    profiles_flashinfer_sampler: bool = False
    """The profile run samples with FlashInfer's kernel, which has a copy of the logits more."""
    libraries_before_snapshot: bool = False
    """cuBLAS's handles and workspace are there before vLLM's first look at the memory."""
    refines_expert_blocks: bool = False
    """Blocks of fp8 that a shard of experts cuts are made finer, or the shard is padded."""
    states_need_blocks: bool = False
    """The engine ends at its start if more sequences may decode than there are blocks for their states."""
    states: StateRules = OLDER_STATES
    sliding_window_batches: int = 0
    """Batches in flight that a sliding window keeps blocks for, besides the pipeline's own."""

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


# vllm/v1/kv_cache_interface.py, MambaSpec: two blocks with prefix caching, and one for a checkpoint inside a prefill;
# layers/mamba/gdn: such checkpoints lie at multiples of 64 tokens (0.33.0).
_STATES_033 = StateRules(blocks=3, alignment=64)


@lru_cache
def engine_of(version: str) -> Engine:
    """The behaviour of that release, or of the nearest that was looked into (0.24 or 0.33). Raises ValueError."""
    parts = version.removeprefix("v").split(".")
    if not 2 <= len(parts) <= 4 or not all(part.isdigit() for part in parts[:2]):
        raise ValueError(f"{version!r} is not a vLLM release such as 0.33.0")
    number = (int(parts[0]), int(parts[1]))
    if number >= (0, 33):
        newest = _engine(version, "0.33.0", tried=number == (0, 33))
        return replace(
            newest,
            every_model_v2=True,
            charges_v2_graphs=True,
            charges_v2_state=True,
            profiles_flashinfer_sampler=VLLM_RELEASES["0.33.0"].flashinfer_sampler,
            libraries_before_snapshot=True,
            refines_expert_blocks=True,
            states_need_blocks=True,
            states=_STATES_033,
            sliding_window_batches=1,
        )
    older = _engine(version, "0.24.0", tried=number == (0, 24))
    small, large, _ = older.max_num_batched_tokens
    # vllm/engine/arg_utils.py and config/cache.py: the 160 GiB tier came after 0.24, the utilisation was 0.9 to 0.18.
    # vllm/config/compilation.py: the check of states against blocks came with pull request 38270, in 0.19.
    older = replace(older, max_num_batched_tokens=(small, large, large), states_need_blocks=number >= (0, 19))
    return older if number >= (0, 20) else replace(older, gpu_memory_utilization=0.90)


_MEASURED_FIRST = frozenset({"LlamaForCausalLM", "Gemma3ForCausalLM", "Qwen3ForCausalLM"})
_MEASURED = {
    "0.24.0": _MEASURED_FIRST | {"Qwen3MoeForCausalLM", "DeepseekV2ForCausalLM"},
    "0.33.0": _MEASURED_FIRST,
}


def _cards(release: VllmRelease) -> frozenset[str]:
    return frozenset(
        tried.with_["gpu"] for tried in release.tried if "gpu" in tried.with_ and tried.basis is Basis.MEASURED
    )


def _engine(version: str, release: str, *, tried: bool) -> Engine:
    entry = VLLM_RELEASES[release]
    defaults = entry.defaults
    return Engine(
        version=version.removeprefix("v"),
        release=release,
        measured_cards=_cards(entry) if tried and entry.memory_basis is Basis.MEASURED else frozenset(),
        measured_tensor=2 if release == "0.24.0" else 1,
        measured_architectures=_MEASURED[release],
        gpu_memory_utilization=defaults.gpu_memory_utilization,
        block_size=defaults.block_size,
        max_num_seqs=(defaults.max_num_seqs_small, defaults.max_num_seqs),
        max_num_batched_tokens=(
            defaults.max_num_batched_tokens_small,
            defaults.max_num_batched_tokens,
            defaults.max_num_batched_tokens_huge,
        ),
        large_gib=defaults.large_gpu_gib,
        huge_gib=defaults.huge_gpu_gib,
    )


@dataclass(frozen=True)
class Card:
    """One GPU as the memory model sees it."""

    name: str
    torch_gib: float
    measured: bool
    capability: str
    """Compute capability, such as 9.0."""


class ServeSettings(Decision):
    """The flags of `vllm serve` that decide memory, resolved."""

    max_model_len: int
    """Tokens of the longest request."""
    gpu_memory_utilization: float
    """Fraction of each GPU's memory that vLLM may use, 0 to 1."""
    max_num_seqs: int
    """Requests that run at once in a replica."""
    max_num_batched_tokens: int
    """Tokens of one step."""
    block_size: int
    """Tokens of one KV block."""
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO
    """How keys and values are kept."""
    enforce_eager: bool = False
    """No CUDA graphs and no compilation."""
    compile_cache: bool = False
    """Whether torch.compile finds its cache; a cold one needs more while it profiles."""
    adapter_slots: int = 0
    """LoRA adapters that one batch may mix."""
    adapter_rank: int = 0
    """The largest rank of a LoRA adapter."""
    draft_gib: float = 0.0
    """The GiB of a draft model's weights, over the ranks of tensor parallel."""
    draft_tokens: int = 0
    """Drafted for each sequence in one step."""
    own_draft: bool = False
    """The draft is the checkpoint's own layers (MTP)."""
    draft_layers: int = 0
    """The layers of another checkpoint that drafts, each like one of the target's layers of full attention (EAGLE)."""
    draft_model: str | None = None
    """A model of the catalogue that drafts, and keeps a cache of its own."""
    unasked_flags: tuple[str, ...] = ()
    """Flags that may change weights or cache in a way that vLLM's own code was not asked about."""
    fewer_sequences: bool = False
    """`max_num_seqs` is less than vLLM would take: each sequence that decodes needs a block for its states."""

    def __hash__(self) -> int:
        """Plans are cached by it."""
        return hash(tuple(self.__dict__.values()))


def _is_large(card: Card, engine: Engine) -> bool:
    """vLLM's own rule for its larger defaults."""
    return card.torch_gib >= engine.large_gib and not card.name.startswith("a100")


def default_max_num_seqs(card: Card, engine: Engine) -> int:
    small, large = engine.max_num_seqs
    return large if _is_large(card, engine) else small


def default_max_num_batched_tokens(card: Card, engine: Engine) -> int:
    small, large, huge = engine.max_num_batched_tokens
    if card.torch_gib >= engine.huge_gib:
        return huge
    return large if _is_large(card, engine) else small


def capture_sizes(settings: ServeSettings) -> tuple[int, ...]:
    """The batch sizes that vLLM captures CUDA graphs for."""
    largest = min(2 * settings.max_num_seqs, 512, settings.max_num_batched_tokens)
    return tuple(size for size in (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16)) if size <= largest)
