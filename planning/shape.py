"""The words in which a shape is asked for, planned and refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from catalog.accelerator import Accelerator, Basis, MachineType
from catalog.engine import Engine, Kernels
from catalog.model import KvCacheDtype, Model
from config.models import Objective
from planning.decision import Decision
from planning.engine import Card, ServeSettings, engine_of
from planning.memory import GpuMemory


class PerformanceMode(StrEnum):
    """vLLM's own presets."""

    BALANCED = "balanced"
    THROUGHPUT = "throughput"
    """Twice as many sequences and batched tokens, where the stack file names none."""
    INTERACTIVITY = "interactivity"
    """A CUDA graph of each small batch."""


class Pattern(StrEnum):
    """What one replica takes."""

    SINGLE_GPU = "singleGpu"
    SINGLE_NODE = "singleNode"
    MULTI_NODE = "multiNode"


@dataclass(frozen=True)
class GpuNode:
    """A machine type as the shape sees it; small, so that plans can be cached by it."""

    machine_type: str
    accelerator: str
    card: Card
    gpus: int
    nvlink_gpus: int
    """1: no NVLink."""
    fabric: bool
    gpu_fraction: float
    """1: its GPUs are whole."""

    @classmethod
    def of(cls, accelerator: Accelerator, machine: MachineType) -> "GpuNode":
        measured = accelerator.memory.torch_basis is Basis.MEASURED and machine.gpu_fraction == 1
        card = Card(accelerator.name, accelerator.torch_gib_of(machine), measured, accelerator.compute_capability)
        gpus, fraction = (machine.gpus, machine.nvlink_gpus), machine.gpu_fraction
        return cls(machine.name, accelerator.name, card, *gpus, machine.fabric, fraction)

    @property
    def tensor_domain(self) -> int:
        """GPUs that tensor parallel may span: those that NVLink joins, or one node's where there is no NVLink."""
        return self.nvlink_gpus if self.nvlink_gpus > 1 else self.gpus


@dataclass(frozen=True)
class ShapeRequest:
    """What a user wants of one model. None: the planner, or vLLM's own default, decides."""

    vllm: str
    objective: Objective = Objective.THROUGHPUT
    min_context: int | None = None
    """Tokens that a request must be able to have. None: the model's whole context."""
    min_concurrency: int = 1
    """Requests of that context at once, over all replicas."""
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    expert_parallel: bool | None = None
    replicas: int | None = None
    max_nodes: int = 16
    """The most nodes of one replica."""
    max_model_len: int | None = None
    gpu_memory_utilization: float | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO
    block_size: int | None = None
    """Tokens of one block of the cache."""
    unasked_flags: tuple[str, ...] = ()
    """Flags that may change weights or cache in a way that vLLM's own code was not asked about."""
    enforce_eager: bool = False
    chunked_prefill: bool = True
    """Long prompts are cut; else a whole one is in a step."""
    performance_mode: PerformanceMode = PerformanceMode.BALANCED
    adapter_slots: int = 0
    """LoRA adapters that one batch may mix."""
    adapter_rank: int = 0
    draft_gib: float = 0.0
    """Weights of a draft model for speculative decoding."""
    draft_tokens: int = 0
    """Drafted for each sequence in one step."""
    own_draft: bool = False
    """Drafts come from the checkpoint's own layers (MTP)."""
    draft_layers: int = 0
    """The layers of another checkpoint that drafts, each like one of the model's own (EAGLE)."""
    draft_model: str | None = None
    """A model of the catalogue that drafts."""

    @property
    def fixes_shape(self) -> bool:
        return self.tensor_parallel is not None or self.pipeline_parallel is not None


@dataclass(frozen=True)
class ShapeQuestion:
    """How is a model served, as it is asked for, on machines of one type?"""

    model: Model
    node: GpuNode
    request: ShapeRequest
    node_hour_usd: float | None = None
    """US dollars for an hour of one node; None: no price is known."""

    @property
    def engine(self) -> Engine:
        """Raises UnknownRelease."""
        return engine_of(self.request.vllm)

    @property
    def kernels(self) -> Kernels:
        """Those that the release picks on the card. Raises UnknownRelease."""
        return self.engine.kernels_on(self.node.card.capability)

    @property
    def where(self) -> str:
        """The model and the machine, for people."""
        return f"{self.model.id} on {self.node.accelerator} ({self.node.machine_type})"

    def asking(self, **changes: Any) -> "ShapeQuestion":
        """The same question with other fields of its request."""
        return replace(self, request=replace(self.request, **changes))


class Rejected(Decision):
    """An alternative and the number that ruled it out."""

    shape: str
    """What was looked at, such as `TP 4` or an accelerator's name."""
    why: str
    """One line with the number."""


class ShapePlan(Decision):
    """How one model is served on one machine type."""

    model: str
    """Hugging Face id."""
    accelerator: str
    """Name of the catalogue's entry."""
    machine_type: str
    """Google's name."""
    vllm: str
    """Release."""
    pattern: Pattern
    """Whether a replica takes one GPU, one node or several."""
    tensor_parallel: int
    """GPUs that share each layer."""
    pipeline_parallel: int
    """Stages of layers."""
    expert_parallel: bool
    """Whole experts on each GPU instead of slices."""
    replicas: int
    """Servers of the model."""
    nodes: int
    """The nodes of one replica."""
    gpus_per_node: int
    """The GPUs that one replica uses of each of its nodes."""
    settings: ServeSettings
    """vLLM's flags that decide memory."""
    memory: GpuMemory
    """What one GPU holds with these."""
    concurrency: float
    """Requests of the wanted context at once in one replica, at most `max_num_seqs`."""
    usd_per_hour: float | None
    """The price in US dollars per hour of one replica, as its share of its nodes; None: no price is known."""
    reasons: tuple[str, ...]
    """Why this shape, one line each."""
    rejected: tuple[Rejected, ...]
    """Shapes that were looked at and not taken."""
    warnings: tuple[str, ...]
    """What whoever starts the server should know, one line each."""

    @property
    def gpus(self) -> int:
        """The GPUs of one replica."""
        return self.tensor_parallel * self.pipeline_parallel


class ShapeRefused(ValueError):
    """No shape serves the model as asked; the message is one line and names the numbers, which `numbers` has too."""

    def __init__(
        self, message: str, numbers: Mapping[str, float | int | tuple[int, ...]], rejected: tuple[Rejected, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.numbers = dict(numbers)
        self.rejected = rejected


@dataclass(frozen=True)
class Candidate:
    """A legal shape and what it does to memory."""

    tensor: int
    pipeline: int
    experts: bool
    nodes: int
    memory: GpuMemory
    settings: ServeSettings
    concurrency: float = 0.0

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline

    def usd_per_hour(self, question: ShapeQuestion) -> float | None:
        """US dollars for an hour of one replica: whole nodes if it spans several, else its share of one."""
        usd, node = question.node_hour_usd, question.node
        return None if usd is None else usd * (self.nodes if self.nodes > 1 else self.gpus / node.gpus)

    @property
    def name(self) -> str:
        return f"TP {self.tensor}" + (f" x PP {self.pipeline}" if self.pipeline > 1 else "")
