"""Plans each model of a stack; a step that fails leaves a refusal with its number and ends that model's plan."""

from dataclasses import dataclass
from difflib import get_close_matches

from catalog import MODELS, PINS, CapacityKind, Model, VllmRelease
from catalog.engine_arguments import flag_table
from config.cluster import Provided
from config.errors import quoted
from config.models import Executor, ModelSettings
from config.settings import Settings
from planning.compatibility import NodeDriver, check_architecture, check_driver, check_plugin
from planning.engine import UnknownRelease, engine_of
from planning.errors import Findings
from planning.parallelism import choose_shape
from planning.performance.expected import ExpectedService
from planning.plan import FabricPlan, ModelServerPlan, RolloutPlan, SchedulingPlan, WeightsBucketPlan
from planning.pools import ResolvedPool
from planning.prices import PriceList
from planning.serving.access import plan_priority
from planning.serving.arguments import server_arguments, worker_arguments
from planning.serving.lifecycle import plan_lifecycle
from planning.serving.namespaces import namespace_of
from planning.serving.objective import OnPool, choose_pool
from planning.serving.owned_arguments import check_arguments
from planning.serving.resources import PlacedModel, plan_resources
from planning.serving.transport import group_environment, plan_transport
from planning.serving.unasked import block_size, unasked_flags
from planning.serving.variants import (
    adapter_slots,
    as_loaded,
    draft_gib,
    draft_layers,
    draft_model,
    draft_tokens,
    drafts_itself,
    performance_mode,
)
from planning.serving.weights import Places, chosen_load, kernels_key, plan_weights, with_node_cache
from planning.shape import GpuNode, Pattern, ShapePlan, ShapeQuestion, ShapeRefused, ShapeRequest

_UNDECIDED = RolloutPlan(max_surge=0, max_unavailable=1)
"""What a plan has until all models of the stack are placed."""


def plan_models(
    settings: Settings,
    pools: tuple[ResolvedPool, ...],
    fabric: FabricPlan | None,
    gke_version: str | None,
    bucket: WeightsBucketPlan | None,
    findings: Findings,
) -> tuple[ModelServerPlan, ...]:
    """A plan for each model that can be served; the others become refusals."""
    platform = _Platform(settings, pools, fabric, gke_version, bucket)
    seen: set[str] = set()
    plans: list[ModelServerPlan] = []
    for index, wanted in enumerate(settings.models):
        if wanted.name in seen:
            findings.refuse(f"models[{index}].name", f"{wanted.name!r} names two models", "Write another name")
        seen.add(wanted.name)
        plan = _Planner(platform, wanted, f"models[{index}]", findings).plan()
        if plan is not None:
            plans.append(plan)
    return tuple(plans)


@dataclass(frozen=True)
class _Platform:
    """What the models of a stack share."""

    settings: Settings
    pools: tuple[ResolvedPool, ...]
    fabric: FabricPlan | None
    gke_version: str | None
    bucket: WeightsBucketPlan | None


class _Planner:
    """Plans one model."""

    def __init__(self, platform: _Platform, wanted: ModelSettings, path: str, findings: Findings) -> None:
        self._platform = platform
        self._wanted = wanted
        self._path = path
        self._findings = findings

    def plan(self) -> ModelServerPlan | None:
        wanted = self._wanted
        checkpoint, release, possible = self._model(), self._release(), self._pools()
        if checkpoint is None or release is None or not possible:
            return None
        self._check_arguments(release)
        model = as_loaded(checkpoint, wanted.engine, f"{self._path}.engine", self._findings)
        chosen = self._choose(model, release, possible)
        if chosen is None:
            return None
        pool, shape, expected = chosen
        self._check_chosen(pool, release, shape)
        spans_nodes = shape.pattern is Pattern.MULTI_NODE
        fabric = self._platform.fabric if spans_nodes and pool.mode else None
        transport = plan_transport(fabric, wanted.name) if fabric else None
        driver = check_driver(
            NodeDriver.of(pool, self._platform.gke_version),
            release,
            self._path,
            self._findings,
            accept_compatibility=wanted.cuda_compatibility,
        )
        placed = PlacedModel(wanted, checkpoint, pool, self._path)
        settings = self._platform.settings
        pool_exists = settings.cluster.provides(Provided.NODE_POOLS)
        places = Places(region=settings.region, bucket=self._platform.bucket, pool_exists=pool_exists)
        weights = plan_weights(placed, release, shape, places, self._findings)
        load = chosen_load(weights)
        lifecycle = plan_lifecycle(load, shape.replicas, spot=pool.kind is CapacityKind.SPOT)
        environment = {
            **release.environment,
            # Its servers tell nobody what they serve.
            "VLLM_NO_USAGE_STATS": "1",
            # How long its front waits for the engine to have loaded.
            "VLLM_ENGINE_READY_TIMEOUT_S": str(lifecycle.longest_start),
            **driver,
            **(group_environment(fabric) if spans_nodes else {}),
        }
        resources = plan_resources(placed, shape, transport, weights.source, self._findings)
        lines = (
            server_arguments(wanted, release, shape, lifecycle, weights),
            worker_arguments(wanted, release, shape, lifecycle, weights),
        )
        image = wanted.image or release.image.reference
        return ModelServerPlan(
            name=wanted.name,
            model=wanted.model,
            served_name=wanted.model,
            adapters=tuple(adapter.name for adapter in wanted.engine.lora.adapters) if wanted.engine.lora else (),
            namespace=namespace_of(on_fabric=fabric is not None),
            image=image,
            ray=spans_nodes and wanted.distributed_executor is Executor.RAY,
            arguments=lines[0],
            worker_arguments=lines[1],
            environment=environment,
            replicas=shape.replicas,
            port=release.defaults.port,
            node_pool=pool.name,
            gpu_type=pool.accelerator.gke_label,
            taints=pool.accelerator.nodes.taints,
            shape=shape,
            expected=expected,
            resources=resources,
            weights=with_node_cache(
                weights,
                placed,
                resources.weights_gib,
                kernels_key(placed, image, lines, environment),
                pool_exists=pool_exists,
            ),
            load=load,
            lifecycle=lifecycle,
            transport=transport,
            rollout=_UNDECIDED,
            scheduling=SchedulingPlan(shares_node=shape.gpus_per_node < pool.machine.gpus, spread=False),
            priority_class=plan_priority().name,
            min_available_pods=None,
        )

    def _model(self) -> Model | None:
        wanted = self._wanted
        if wanted.definition is not None:
            return wanted.definition
        if wanted.model in MODELS:
            return MODELS[wanted.model]
        self._findings.refuse(
            f"{self._path}.model",
            f"{quoted(wanted.model)} is not in the catalogue",
            f"{_near(wanted.model)}Name its config.json under configFile, describe it under definition, or write a "
            "model of docs/models.md",
        )
        return None

    def _release(self) -> VllmRelease | None:
        try:
            return engine_of(self._wanted.vllm_version or PINS.vllm)
        except UnknownRelease as error:
            self._findings.refuse(f"{self._path}.vllmVersion", str(error))
            return None

    def _choose(
        self, model: Model, release: VllmRelease, possible: list[ResolvedPool]
    ) -> tuple[ResolvedPool, ShapePlan, ExpectedService | None] | None:
        wanted, asked = self._wanted, [OnPool(pool, self._question(model, release, pool)) for pool in possible]
        if wanted.service_objective is not None:
            return choose_pool(wanted.service_objective, wanted.engine, asked, self._path, self._findings)
        (on,) = asked
        try:
            shape = choose_shape(on.question)
        except ShapeRefused as refusal:
            self._findings.refuse(self._path, refusal.message)
            return None
        return on.pool, shape, None

    def _question(self, model: Model, release: VllmRelease, pool: ResolvedPool) -> ShapeQuestion:
        usd = PriceList(self._platform.settings.region, pool.kind).usd_of(pool.machine.name)
        return ShapeQuestion(
            model, GpuNode.of(pool.accelerator, pool.machine), self._request(model, release, pool), usd
        )

    def _check_chosen(self, pool: ResolvedPool, release: VllmRelease, shape: ShapePlan) -> None:
        """What the chosen shape and pool need of the release and the stack file."""
        for warning in shape.warnings:
            self._findings.warn(self._path, warning)
        if shape.settings.unasked_flags:
            self._findings.warn(
                f"{self._path}.engine",
                f"what {', '.join(shape.settings.unasked_flags)} changes of weights and cache was not asked of vLLM's "
                "own code; the memory is extrapolated",
            )
        if shape.pattern is Pattern.MULTI_NODE:
            check_plugin(pool, release, self._path, self._findings)
            self._check_executor(release)
        elif self._wanted.distributed_executor is Executor.RAY:
            self._findings.warn(f"{self._path}.distributedExecutor", "joins nodes, and this server is on one alone")
        if self._wanted.image is None:
            check_architecture(pool.accelerator, release, f"{self._path}.vllmVersion", self._findings)

    def _pools(self) -> list[ResolvedPool]:
        """The one that it is to be on; with a service objective all, where none is named. None, without another word,
        where the pool itself was refused."""
        names = [pool.name for pool in self._platform.settings.node_pools]
        if self._wanted.node_pool is None and self._wanted.service_objective is not None:
            return list(self._platform.pools)
        if self._wanted.node_pool is None and len(names) > 1:
            self._findings.refuse(
                f"{self._path}.nodePool",
                "is missing, and the stack has several pools",
                f"Write one of {', '.join(names)}, or a serviceObjective, which chooses",
            )
            return []
        name = self._wanted.node_pool or names[0]
        if name not in names:
            self._findings.refuse(
                f"{self._path}.nodePool", f"there is no pool {name!r}", f"Write one of {', '.join(names)}"
            )
        return [pool for pool in self._platform.pools if pool.name == name]

    def _check_arguments(self, release: VllmRelease) -> None:
        check_arguments(self._wanted.engine, flag_table(release.version), f"{self._path}.engine", self._findings)

    def _check_executor(self, release: VllmRelease) -> None:
        path = f"{self._path}.distributedExecutor"
        if self._wanted.distributed_executor is Executor.MP and not release.multi_node_without_ray:
            self._findings.refuse(path, f"vLLM {release.version} joins nodes with Ray only", "Write ray, and image")
        if self._wanted.distributed_executor is Executor.RAY:
            self._findings.warn(path, "Ray's part was not tried; mp is vLLM's own way and needs no image of yours")

    def _request(self, model: Model, release: VllmRelease, pool: ResolvedPool) -> ShapeRequest:
        wanted = self._wanted
        slots, rank = adapter_slots(wanted.engine)
        return ShapeRequest(
            vllm=release.version,
            objective=wanted.objective,
            min_context=wanted.min_context,
            min_concurrency=wanted.min_concurrency,
            tensor_parallel=wanted.tensor_parallel,
            pipeline_parallel=wanted.pipeline_parallel,
            expert_parallel=wanted.expert_parallel,
            replicas=wanted.replicas,
            max_nodes=pool.settings.nodes.max,
            max_model_len=wanted.max_model_len,
            gpu_memory_utilization=wanted.gpu_memory_utilization,
            max_num_seqs=wanted.max_num_seqs,
            max_num_batched_tokens=wanted.max_num_batched_tokens,
            kv_cache_dtype=wanted.kv_cache_dtype,
            block_size=block_size(wanted.engine, release),
            unasked_flags=unasked_flags(wanted.engine, model, release),
            enforce_eager=bool(wanted.engine.enforce_eager),
            chunked_prefill=wanted.engine.enable_chunked_prefill is not False,
            performance_mode=performance_mode(wanted.engine),
            adapter_slots=slots,
            adapter_rank=rank,
            draft_gib=draft_gib(wanted.engine, self._path, self._findings),
            draft_tokens=draft_tokens(wanted.engine),
            own_draft=drafts_itself(wanted.engine),
            draft_layers=draft_layers(wanted.engine),
            draft_model=draft_model(wanted.engine),
        )


def _near(model: str) -> str:
    near = get_close_matches(model, MODELS, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}? " if near else ""
