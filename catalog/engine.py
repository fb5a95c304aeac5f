"""How one release of vLLM behaves: what it chooses when a flag is not given, and how it accounts for a GPU's memory.

Every field must be in the release's entry: one release's behaviour is never taken for another's.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import Field

from catalog._entry import Entry
from catalog.accelerator import Basis
from catalog.model import KvCacheDtype, Model


class Runner(StrEnum):
    """vLLM's two model runners, which profile memory differently."""

    V1 = "V1"
    V2 = "V2"


class Tried(Entry):
    """One combination that somebody ran. What is not listed is untested, which is a warning and not a refusal."""

    with_: dict[str, str] = Field(alias="with", description="component to version")
    works: bool
    basis: Basis
    source: str
    note: str | None = None


class ServerDefaults(Entry):
    """What `vllm serve` chooses when a flag is not given."""

    gpu_memory_utilization: float
    max_num_seqs: int = Field(description="on GPUs of at least `large_gpu_gib` that are not A100")
    max_num_seqs_small: int = Field(description="on the others")
    max_num_batched_tokens: int = Field(description="on GPUs of at least `large_gpu_gib` that are not A100")
    max_num_batched_tokens_small: int
    max_num_batched_tokens_huge: int = Field(description="on GPUs of at least `huge_gpu_gib`")
    large_gpu_gib: int
    huge_gpu_gib: int
    block_size: int = Field(description="tokens of one KV block")
    largest_graph: int = Field(description="tokens of the largest batch that a CUDA graph is captured for")
    largest_graph_by_capability: dict[str, int] = Field(description="the same on cards of that compute capability")
    port: int


class StateRules(Entry):
    """What a release does with the states of linear and state-space layers."""

    blocks: int = Field(description="that one request holds, before drafted tokens add one each")
    linear_blocks: int | None = Field(default=None, description="the same of linear layers; none: as many as of others")
    alignment: int = Field(description="tokens that a block of a model with gated delta-rule layers is a multiple of")

    def blocks_of(self, *, linear: bool) -> int:
        """The blocks of a request for layers of one kind."""
        return self.linear_blocks if linear and self.linear_blocks is not None else self.blocks


class Kernel(StrEnum):
    """Kernels, each of which pads or sets memory aside in its own way (planning/padding.py, buffers.py)."""

    TRITON = "triton"
    MARLIN = "marlin"
    HUMMING = "humming"
    TENSORRT = "tensorrt"
    CUTLASS = "cutlass"
    FLASH_ATTENTION = "flash-attention"
    FLASHMLA = "flashmla"
    FLASHINFER = "flashinfer"


class SparseKernels(Entry):
    """The kernels of sparse attention. Only FlashMLA's sets memory aside with the weights (planning/buffers.py)."""

    plain: Kernel = Field(default=Kernel.FLASH_ATTENTION, description="with a cache in 16 bits")
    packed: Kernel = Field(default=Kernel.FLASHMLA, description="with a packed cache")


class Kernels(Entry):
    """The kernels that a release picks on cards of one compute capability, as far as weights and cache depend on them.

    The defaults are what it picks on Hopper.
    """

    plain_experts: Kernel = Field(default=Kernel.TRITON, description="for experts in 16 bits")
    mxfp4_experts: Kernel = Field(default=Kernel.TRITON, description="for experts in MXFP4")
    nvfp4_experts: Kernel = Field(default=Kernel.HUMMING, description="for experts in NVFP4")
    nvfp4_a16_experts: Kernel = Field(default=Kernel.HUMMING, description="for experts in NVFP4 for weights alone")
    integers: Kernel = Field(default=Kernel.HUMMING, description="for layers and experts in integers by groups")
    mxfp8_experts: Kernel = Field(default=Kernel.HUMMING, description="for experts in MXFP8")
    fp8_experts: Kernel = Field(default=Kernel.FLASHINFER, description="for experts in fp8")
    marlin_fp8: bool = Field(default=False, description="dense layers in fp8 run on Marlin's kernel")
    latent_block: int = Field(default=1, description="tokens that a block of latent attention has at least")
    latent_block_quantised: int = Field(default=64, description="the same where its cache is in fp8")
    wide_block_quantised: int = Field(
        default=64, description="tokens that a block of an fp8 cache has at least where heads are wider than 256"
    )
    image_block: int = Field(
        default=1, description="tokens of a block where images see ahead and heads are 256 or 512 wide, at least"
    )
    latent_workspace_mib: int = Field(default=0, description="that latent attention sets aside with its first layer")
    ragged_prefill_mib: int = Field(
        default=0,
        description="that latent attention of some widths sets aside for its prefills",
    )
    sparse: SparseKernels | None = Field(default=SparseKernels(), description="none: it has no sparse attention")
    packed_caches: frozenset[KvCacheDtype] = Field(
        default=frozenset({KvCacheDtype.FP8, KvCacheDtype.FP8_E4M3, KvCacheDtype.FP8_E5M2}),
        description="formats of the flag for which sparse attention packs its cache",
    )
    no_fp8_cache: frozenset[Literal["latent", "wide", "uneven", "sinks"]] = Field(
        default=frozenset(),
        description="attention without a cache in fp8: latent, over 256 wide, values not as wide as keys, with sinks",
    )
    fp8_cache_unasked: frozenset[str] = Field(
        default=frozenset(), description="architectures that take a cache in fp8 where the flag asks for none"
    )
    states: StateRules | None = Field(default=None, description="none: the release's own")

    def __hash__(self) -> int:
        """Weights are cached by it."""
        return hash(tuple(self.__dict__.values()))


@dataclass(frozen=True)
class ExpertCuts:
    """What a release does on a card with experts that ranks cut."""

    refines: bool
    """Blocks of fp8 that a shard cuts are made finer, which Marlin's kernel cannot."""
    fp8: Kernel
    nvfp4: Kernel
    """The kernels of experts in fp8 and in NVFP4."""


HOPPER = Kernels()
"""What is picked on capability 9.0, where the formulas were read first."""

FINEST_CUTS = ExpertCuts(refines=True, fp8=HOPPER.fp8_experts, nvfp4=HOPPER.nvfp4_experts)


class Engine(Entry):
    """What the plan's memory model must know of a release."""

    version: str
    defaults: ServerDefaults
    v2_runner: Literal["all"] | frozenset[str] = Field(description="architectures that the V2 runner runs")
    charges_v2_graphs: bool = Field(description="the V2 runner sets memory aside for CUDA graphs")
    charges_v2_state: bool = Field(description="so it does for its sampling state and block tables")
    profiles_flashinfer_sampler: bool = Field(
        description="the profile run samples with FlashInfer's kernel, which has a copy of the logits more"
    )
    libraries_before_snapshot: bool = Field(
        description="cuBLAS's handles and workspace are there before the first look at the memory"
    )
    refines_expert_blocks: bool = Field(
        description="blocks of fp8 that a shard of experts cuts are made finer, or the shard is padded"
    )
    states_need_blocks: bool = Field(
        description="it ends at its start if more sequences may decode than there are blocks for their states"
    )
    states: StateRules
    kernels: dict[str, Kernels] = Field(description="by compute capability; Hopper's on those that are not named")
    sliding_window_batches: int = Field(
        description="batches in flight that a sliding window keeps blocks for, besides the pipeline's own"
    )
    graphs_of_whole_batches: bool = Field(
        description="CUDA graphs of the largest batch that decodes, and with drafts of each number of requests"
    )
    memory_basis: Basis = Field(description="of a memory model for this release: measured, or estimated from another")
    measured_tensor: int = Field(description="the most ranks that it was measured with; 0: it was not")
    measured_architectures: frozenset[str]
    tried: tuple[Tried, ...] = ()

    def __hash__(self) -> int:
        """Plans are cached by the release, and each has one entry."""
        return hash(self.version)

    @property
    def measured_cards(self) -> frozenset[str]:
        """Cards on which this very release's memory was measured."""
        if self.memory_basis is not Basis.MEASURED:
            return frozenset()
        return frozenset(
            each.with_["gpu"] for each in self.tried if "gpu" in each.with_ and each.basis is Basis.MEASURED
        )

    def kernels_on(self, capability: str) -> Kernels:
        """What it picks on cards of that compute capability."""
        return self.kernels.get(capability, HOPPER)

    def cuts_on(self, capability: str) -> ExpertCuts:
        """What it does there with experts that ranks cut."""
        kernels = self.kernels_on(capability)
        refines = self.refines_expert_blocks and kernels.fp8_experts is not Kernel.MARLIN
        return ExpertCuts(refines, kernels.fp8_experts, kernels.nvfp4_experts)

    def states_on(self, capability: str) -> StateRules:
        """What it does with states on cards of that compute capability."""
        return self.kernels_on(capability).states or self.states

    def runner(self, model: Model) -> Runner:
        """The runner that runs the model when no flag chooses one."""
        every = self.v2_runner == "all"
        return Runner.V2 if every or model.architecture in self.v2_runner else Runner.V1
