"""The parts of a plan's JSON that a report needs; a plan made by older code, with other fields, can still be read."""

import os

from pydantic import BaseModel, ConfigDict

# At its first model pydantic looks for plugins in every installed package. There are none, and the search takes as long
# as the rest of a report.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MemoryView(_View):
    """The memory of one GPU, in GiB."""

    total_gib: float
    weights_gib: float
    activation_gib: float
    non_torch_gib: float
    graphs_gib: float
    kv_cache_gib: float
    kv_cache_tokens: int

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """Weights, overhead, KV cache and free memory, in GiB."""
        overhead = self.activation_gib + self.non_torch_gib + self.graphs_gib
        used = (self.weights_gib, overhead, self.kv_cache_gib)
        return (*used, max(0.0, self.total_gib - sum(used)))


class ShapeSettingsView(_View):
    max_model_len: int


class ShapeView(_View):
    vllm: str
    tensor_parallel: int
    pipeline_parallel: int
    nodes: int
    settings: ShapeSettingsView
    memory: MemoryView

    def __str__(self) -> str:
        pipeline = f" x PP {self.pipeline_parallel}" if self.pipeline_parallel > 1 else ""
        return f"TP {self.tensor_parallel}{pipeline}"


class ServiceObjectiveView(_View):
    """Milliseconds at most."""

    time_to_first_token: float
    time_per_output_token: float
    requests_per_second: float


class ExpectedView(_View):
    """Estimates of a model with a service objective."""

    objective: ServiceObjectiveView
    first_token_ms: float
    per_token_ms: float
    requests_per_second: float
    usd_per_million_output_tokens: float | None = None


class ModelView(_View):
    name: str
    model: str
    replicas: int
    node_pool: str
    shape: ShapeView
    expected: ExpectedView | None = None


class PoolView(_View):
    name: str
    machine_type: str
    zone: str
    min_nodes: int
    max_nodes: int
    gpus_per_node: int
    provisioning: str
    uses_fabric: bool = False

    @property
    def nodes(self) -> str:
        return str(self.max_nodes) if self.min_nodes == self.max_nodes else f"{self.min_nodes} to {self.max_nodes}"


class NodeUseView(_View):
    gpus: dict[str, int]


class PoolUseView(_View):
    pool: str
    gpus_per_node: int
    nodes: int
    used: tuple[NodeUseView, ...]

    @property
    def models(self) -> set[str]:
        return {name for node in self.used for name in node.gpus}


class CostItemView(_View):
    what: str
    detail: str = ""
    usd_per_hour: float | None
    usd_per_hour_at_most: float | None

    @property
    def label(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


class IdleView(_View):
    gpus: int
    idle: int


class CostView(_View):
    items: tuple[CostItemView, ...]
    idle: tuple[IdleView, ...] = ()
    idle_usd_per_hour: float | None = None
    usd_per_hour: float | None
    usd_per_hour_at_most: float | None
    usd_per_month: float | None

    @property
    def idle_gpus(self) -> int:
        return sum(use.idle for use in self.idle)

    @property
    def idle_in_short(self) -> str:
        """Text such as `5 of 32 GPUs idle, 31.80 USD per hour`; empty if every GPU that is paid for is used."""
        if not self.idle_gpus:
            return ""
        usd = self.idle_usd_per_hour
        price = "price unknown" if usd is None else f"{usd:,.2f} USD per hour"
        return f"{self.idle_gpus} of {sum(use.gpus for use in self.idle)} GPUs idle, {price}"


class ClusterView(_View):
    name: str
    location: str


class WarningView(_View):
    path: str
    text: str


class PlanView(_View):
    region: str
    cluster: ClusterView | None = None
    gpu_nodes_keep_version: bool | None = None
    node_pools: tuple[PoolView, ...]
    models: tuple[ModelView, ...]
    pool_use: tuple[PoolUseView, ...]
    cost: CostView
    warnings: tuple[WarningView, ...] = ()

    def cost_of(self, what: str) -> CostItemView | None:
        return next((item for item in self.cost.items if item.what == what), None)

    def model_named(self, name: str) -> ModelView | None:
        return next((model for model in self.models if model.name == name), None)

    def pool_named(self, name: str) -> PoolView | None:
        return next((pool for pool in self.node_pools if pool.name == name), None)

    def use_of(self, pool: str) -> PoolUseView | None:
        return next((use for use in self.pool_use if use.pool == pool), None)


def read_plan(text: str) -> PlanView:
    """Reads the output of `python -m planning stack NAME --format json`. Raises ValueError if it is not a readable
    plan."""
    return PlanView.model_validate_json(text)
