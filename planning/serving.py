"""Decides how each model of a stack is served, and what its pods ask of their node."""

from collections.abc import Iterator
from math import ceil, floor

from catalog import MODELS, PINS, VLLM_RELEASES, MachineType, Model, VllmRelease
from catalog.google import google_platform
from config.models import ModelSettings
from config.settings import Settings
from planning.compatibility import check_driver, check_plugin
from planning.cost import pool_hour_usd
from planning.errors import Findings
from planning.load_time import LoadTime, checkpoint_gib, load_time
from planning.node_pools import machine_of, taints_of
from planning.parallelism import choose_shape
from planning.plan import LifecyclePlan, ModelServerPlan, NodePoolPlan, PodResourcesPlan
from planning.shape import Objective, Pattern, ShapePlan, ShapeRefused, ShapeRequest

_PRE_STOP = 15
"""Seconds until no load balancer of Google's sends to an endpoint that is gone."""
_DRAIN = 45
"""Seconds that vLLM may take to finish what it began."""
_MARGIN = 15
_STARTUP_PERIOD = 10
_STARTUP_FACTOR = 1.5
"""Load times are estimates: a start that takes half as long again is slow, not stuck."""
_SHORTEST_BUDGET = 600
"""The hub and the first compilation can take minutes whatever the model's size."""
_IMAGE_PULL = 600
"""Seconds in which a node pulls the image, before a container's own clock starts."""
_SYSTEM_CPUS = 2
"""Cores of a node for the DaemonSets of GKE and ours; the same in GiB of memory and of disk, images included, below."""
_SYSTEM_MEMORY_GIB = 4
_SYSTEM_DISK_GIB = 60
_CACHE_GIB = 10
"""For compiled kernels and logs, beside the weights."""
_SHARED_MEMORY_GIB = 2
"""Of /dev/shm for each GPU; the default of 64 MiB ends tensor parallel servers."""


def plan_models(
    settings: Settings,
    pools: tuple[NodePoolPlan, ...],
    namespace: str,
    gke_version: str | None,
    findings: Findings,
) -> tuple[ModelServerPlan, ...]:
    """A plan for each model that can be served; the others become refusals."""
    seen: set[str] = set()
    plans: list[ModelServerPlan] = []
    for index, wanted in enumerate(settings.models):
        if wanted.name in seen:
            findings.refuse(f"models[{index}].name", f"{wanted.name!r} names two models", "Write another name")
        seen.add(wanted.name)
        planner = _Planner(settings, wanted, f"models[{index}]", namespace, gke_version, findings)
        plan = planner.plan(pools)
        if plan is not None:
            plans.append(plan)
    return tuple(plans)


class _Planner:
    """Plans one model; each step that fails leaves a refusal and ends it."""

    def __init__(
        self,
        settings: Settings,
        wanted: ModelSettings,
        path: str,
        namespace: str,
        gke_version: str | None,
        findings: Findings,
    ) -> None:
        self._settings = settings
        self._wanted = wanted
        self._path = path
        self._namespace = namespace
        self._gke_version = gke_version
        self._findings = findings

    def plan(self, pools: tuple[NodePoolPlan, ...]) -> ModelServerPlan | None:
        model, release, pool = self._model(), self._release(), self._pool(pools)
        if model is None or release is None or pool is None:
            return None
        accelerator, machine = machine_of(next(p for p in self._settings.node_pools if p.name == pool.name))
        try:
            shape = choose_shape(
                model, accelerator, machine, self._request(release, pool), pool_hour_usd(pool, self._settings.region)
            )
        except ShapeRefused as refusal:
            self._findings.refuse(self._path, refusal.message)
            return None
        for warning in shape.warnings:
            self._findings.warn(self._path, warning)
        if shape.pattern is Pattern.MULTI_NODE:
            check_plugin(accelerator, machine, release, self._path, self._findings)
        driver = check_driver(
            accelerator,
            self._gke_version,
            release,
            self._path,
            self._findings,
            accept_compatibility=self._wanted.cuda_compatibility,
        )
        load = load_time(model, shape.settings, nodes=shape.nodes)
        return ModelServerPlan(
            name=self._wanted.name,
            model=self._wanted.model,
            namespace=self._namespace,
            image=release.image.reference,
            arguments=tuple(_arguments(self._wanted, model, release, shape)),
            environment={**release.environment, **driver},
            replicas=shape.replicas,
            port=release.defaults.port,
            node_pool=pool.name,
            gpu_type=accelerator.gke_label,
            taints=taints_of(accelerator),
            shape=shape,
            resources=self._resources(machine, model, pool, shape),
            load=load,
            lifecycle=_lifecycle(load),
        )

    def _model(self) -> Model | None:
        wanted = self._wanted
        if wanted.definition is not None:
            return wanted.definition
        if wanted.model in MODELS:
            return MODELS[wanted.model]
        self._findings.refuse(
            f"{self._path}.model",
            f"{wanted.model} is not in the catalogue",
            "Describe it under definition, name its config.json under configFile, or write one of " + ", ".join(MODELS),
        )
        return None

    def _release(self) -> VllmRelease | None:
        version = self._wanted.vllm_version or PINS.vllm
        if version in VLLM_RELEASES:
            return VLLM_RELEASES[version]
        self._findings.refuse(
            f"{self._path}.vllmVersion", f"there is no {version} here", f"Write one of {', '.join(VLLM_RELEASES)}"
        )
        return None

    def _pool(self, pools: tuple[NodePoolPlan, ...]) -> NodePoolPlan | None:
        """None, without another word, where the pool itself was refused."""
        names = [pool.name for pool in self._settings.node_pools]
        if self._wanted.node_pool is None and len(names) > 1:
            self._findings.refuse(
                f"{self._path}.nodePool",
                "is missing, and the stack has several pools",
                f"Write one of {', '.join(names)}",
            )
            return None
        name = self._wanted.node_pool or names[0]
        if name not in names:
            self._findings.refuse(
                f"{self._path}.nodePool", f"there is no pool {name!r}", f"Write one of {', '.join(names)}"
            )
        return next((pool for pool in pools if pool.name == name), None)

    def _request(self, release: VllmRelease, pool: NodePoolPlan) -> ShapeRequest:
        wanted = self._wanted
        return ShapeRequest(
            vllm=release.version,
            objective=Objective(wanted.objective.value),
            min_context=wanted.min_context,
            min_concurrency=wanted.min_concurrency,
            tensor_parallel=wanted.tensor_parallel,
            pipeline_parallel=wanted.pipeline_parallel,
            expert_parallel=wanted.expert_parallel,
            replicas=wanted.replicas,
            max_nodes=pool.nodes,
            max_model_len=wanted.max_model_len,
            gpu_memory_utilization=wanted.gpu_memory_utilization,
            max_num_seqs=wanted.max_num_seqs,
            max_num_batched_tokens=wanted.max_num_batched_tokens,
            kv_cache_dtype=wanted.kv_cache_dtype,
        )

    def _resources(self, machine: MachineType, model: Model, pool: NodePoolPlan, shape: ShapePlan) -> PodResourcesPlan:
        """A pod's fair share of its node: as much of everything as of the GPUs; whole nodes when it spans several."""
        reserved = google_platform().reserved
        share = 1.0 if shape.nodes > 1 else shape.gpus_per_node / machine.gpus
        disk = reserved.allocatable_ephemeral_gib(
            pool.boot_disk_size_gib, pool.local_ssds, machine.local_ssd.total_gib if pool.local_ssds else 0
        )
        disk_share = floor((disk - _SYSTEM_DISK_GIB) * share)
        needed = ceil(checkpoint_gib(model)) + _CACHE_GIB
        if needed > disk_share:
            index = [other.name for other in self._settings.node_pools].index(pool.name)
            self._findings.refuse(
                f"nodePools[{index}].bootDiskSizeGib",
                f"{self._wanted.name} needs {needed} GiB of disk for its weights, and its share of a node is "
                f"{max(0, disk_share)} GiB",
                "Write a larger boot disk",
            )
        return PodResourcesPlan(
            gpus=shape.gpus_per_node,
            cpus=max(1, floor((reserved.allocatable_cpu(machine.vcpus) - _SYSTEM_CPUS) * share)),
            memory_gib=floor((reserved.allocatable_memory_gib(machine.memory_gib) - _SYSTEM_MEMORY_GIB) * share),
            ephemeral_storage_gib=needed,
            shared_memory_gib=_SHARED_MEMORY_GIB * shape.gpus_per_node,
        )


def _arguments(wanted: ModelSettings, model: Model, release: VllmRelease, shape: ShapePlan) -> Iterator[str]:
    """Only what vLLM would not choose by itself, so that a reader sees what was decided."""
    yield wanted.model
    yield from ("--port", str(release.defaults.port))
    yield from ("--tensor-parallel-size", str(shape.tensor_parallel))
    if shape.pipeline_parallel > 1:
        yield from ("--pipeline-parallel-size", str(shape.pipeline_parallel))
    if shape.expert_parallel:
        yield "--enable-expert-parallel"
    if shape.settings.max_model_len != model.context:
        yield from ("--max-model-len", str(shape.settings.max_model_len))
    if wanted.gpu_memory_utilization is not None:
        yield from ("--gpu-memory-utilization", str(wanted.gpu_memory_utilization))
    if wanted.max_num_seqs is not None:
        yield from ("--max-num-seqs", str(wanted.max_num_seqs))
    if wanted.max_num_batched_tokens is not None:
        yield from ("--max-num-batched-tokens", str(wanted.max_num_batched_tokens))
    if wanted.kv_cache_dtype.value != "auto":
        yield from ("--kv-cache-dtype", wanted.kv_cache_dtype.value)
    if release.shutdown_timeout_flag:
        yield from ("--shutdown-timeout", str(_DRAIN))


def _lifecycle(load: LoadTime) -> LifecyclePlan:
    longest_start = max(_SHORTEST_BUDGET, ceil(load.total * _STARTUP_FACTOR))
    return LifecyclePlan(
        startup_period=_STARTUP_PERIOD,
        startup_failures=ceil(longest_start / _STARTUP_PERIOD),
        rollout_deadline=longest_start + _IMAGE_PULL,
        pre_stop=_PRE_STOP,
        grace_period=_PRE_STOP + _DRAIN + _MARGIN,
    )
