"""The release of vLLM that is planned for, the card, and the flags that decide memory with vLLM's defaults for them."""

from dataclasses import dataclass

from catalog import VLLM_RELEASES, InvalidEntry, VllmRelease
from catalog.engine import Engine
from catalog.engine_arguments import flag_table
from catalog.model import KvCacheDtype
from planning.decision import Decision


class UnknownRelease(ValueError):
    """Nobody described that release, or not all of it; the message names the file that is missing or not whole."""


def engine_of(version: str) -> VllmRelease:
    """The whole entry of that release, whose behaviour no other's stands in for. Raises UnknownRelease."""
    number = version.removeprefix("v")
    if number not in VLLM_RELEASES:
        raise UnknownRelease(
            f"vLLM {version} is not in the catalogue: write one of {', '.join(VLLM_RELEASES)}, or describe it in "
            f"catalog/releases/vllm/{number}.yaml"
        )
    try:
        release = VLLM_RELEASES[number]
        flag_table(number)
    except KeyError:
        raise UnknownRelease(
            f"vLLM {number} is not whole in the catalogue: catalog/engine_arguments/{number}.json, its table of flags, "
            "is missing"
        ) from None
    except InvalidEntry as error:
        raise UnknownRelease(f"vLLM {number} is not whole in the catalogue: {error}") from error
    return release


@dataclass(frozen=True)
class Card:
    """One GPU as the memory model sees it."""

    name: str
    torch_gib: float
    measured: bool
    capability: str
    """Compute capability, such as 9.0."""


class GraphRules(Decision):
    """The batches that CUDA graphs are captured for."""

    largest: int
    """Tokens of the largest batch, whatever may decode at once."""
    whole_batches: bool
    """Graphs also of the batches in which all requests decode, with their drafts."""
    every_small_one: bool = False
    """A graph of each size up to 32, as in performance mode interactivity."""

    whatever_decodes: bool = False
    """Graphs up to the largest batch even where fewer requests may decode."""

    def __hash__(self) -> int:
        """Plans are cached by it."""
        return hash((self.largest, self.whole_batches, self.every_small_one, self.whatever_decodes))


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
    graphs: GraphRules
    """Rules of its CUDA graphs, by release and card."""
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
    return card.torch_gib >= engine.defaults.large_gpu_gib and not card.name.startswith("a100")


def default_max_num_seqs(card: Card, engine: Engine) -> int:
    defaults = engine.defaults
    return defaults.max_num_seqs if _is_large(card, engine) else defaults.max_num_seqs_small


def default_max_num_batched_tokens(card: Card, engine: Engine) -> int:
    defaults = engine.defaults
    if card.torch_gib >= defaults.huge_gpu_gib:
        return defaults.max_num_batched_tokens_huge
    return defaults.max_num_batched_tokens if _is_large(card, engine) else defaults.max_num_batched_tokens_small


def graph_rules(card: Card, engine: Engine, *, interactive: bool = False, own_largest: int = 0) -> GraphRules:
    """The rules of a server on that card; `own_largest` is that of a model's class, 0 where it sets none."""
    if own_largest:
        return GraphRules(largest=own_largest, whole_batches=False, every_small_one=interactive, whatever_decodes=True)
    defaults = engine.defaults
    largest = defaults.largest_graph_by_capability.get(card.capability, defaults.largest_graph)
    return GraphRules(largest=largest, whole_batches=engine.graphs_of_whole_batches, every_small_one=interactive)


_FINE = 32
"""The size up to which performance mode interactivity captures every one."""


def capture_sizes(settings: ServeSettings) -> tuple[int, ...]:
    """The batch sizes, in tokens, that vLLM captures CUDA graphs for (config/vllm.py, _set_cudagraph_sizes)."""
    rules, query, batch = settings.graphs, 1 + settings.draft_tokens, settings.max_num_batched_tokens
    decoding = rules.largest if rules.whatever_decodes else 2 * settings.max_num_seqs * query
    largest = min(decoding, rules.largest, batch)
    sizes = {*_grid(largest), *range(1, _FINE + 1 if rules.every_small_one else 1)}
    if batch == largest:
        sizes.add(batch)
    if rules.whole_batches:
        requests = min(settings.max_num_seqs, rules.largest)
        sizes |= {number * query for number in (_grid(requests) if query > 1 else ())}
        sizes.add(requests * query if query > 1 else settings.max_num_seqs)
    return tuple(sorted(size for size in sizes if size <= largest))


def _grid(largest: int) -> tuple[int, ...]:
    """1, 2, 4, each eighth number up to 256 and each sixteenth from there."""
    return tuple(size for size in (1, 2, 4, *range(8, 256, 8), *range(256, largest + 1, 16)) if size <= largest)
