"""Decides how each model of a stack is served, and what its pods ask of their node."""

from math import ceil, floor

from catalog import MODELS, PINS, VLLM_RELEASES, Accelerator, MachineType, Model
from catalog.google import google_platform
from config.settings import ModelSettings, Settings
from planning.errors import Refusals
from planning.node_pools import machine_of, taints_of
from planning.plan import LifecyclePlan, ModelServerPlan, NodePoolPlan, PodResourcesPlan

_PRE_STOP = 15
"""Seconds until no load balancer of Google's sends to an endpoint that is gone."""
_DRAIN = 45
"""Seconds that vLLM may take to finish what it began."""
_MARGIN = 15
_STARTUP_PERIOD = 10
_SYSTEM_CPUS = 2
"""Cores of a node for the DaemonSets of GKE and ours; the same for memory in GiB below."""
_SYSTEM_MEMORY_GIB = 4


def plan_models(
    settings: Settings, pools: tuple[NodePoolPlan, ...], namespace: str, refusals: Refusals
) -> tuple[ModelServerPlan, ...]:
    """One plan for each model that can be served; the others become refusals."""
    names = [model.name for model in settings.models]
    for index, name in enumerate(names):
        if name in names[:index]:
            refusals.add(f"models[{index}].name", f"{name!r} names two models", "Write another name")
    plans = (_plan(model, index, settings, pools, namespace, refusals) for index, model in enumerate(settings.models))
    return tuple(plan for plan in plans if plan is not None)


def _plan(
    wanted: ModelSettings,
    index: int,
    settings: Settings,
    pools: tuple[NodePoolPlan, ...],
    namespace: str,
    refusals: Refusals,
) -> ModelServerPlan | None:
    path = f"models[{index}]"
    if wanted.model not in MODELS:
        refusals.add(f"{path}.model", f"{wanted.model} is not in the catalogue", f"Write one of {', '.join(MODELS)}")
        return None
    if wanted.node_pool is None and len(settings.node_pools) > 1:
        names = ", ".join(pool.name for pool in settings.node_pools)
        refusals.add(f"{path}.nodePool", "is missing, and the stack has several pools", f"Write one of {names}")
        return None
    pool = next((p for p in pools if wanted.node_pool in (None, p.name)), None)
    if pool is None:
        if wanted.node_pool not in {p.name for p in settings.node_pools}:
            names = ", ".join(p.name for p in settings.node_pools)
            refusals.add(f"{path}.nodePool", f"there is no pool {wanted.node_pool!r}", f"Write one of {names}")
        return None
    settings_of_pool = next(p for p in settings.node_pools if p.name == pool.name)
    accelerator, machine = machine_of(settings_of_pool)
    return _serve(wanted, MODELS[wanted.model], pool, accelerator, machine, namespace)


def _serve(
    wanted: ModelSettings,
    model: Model,
    pool: NodePoolPlan,
    accelerator: Accelerator,
    machine: MachineType,
    namespace: str,
) -> ModelServerPlan:
    release = VLLM_RELEASES[PINS.vllm]
    port = release.defaults.port
    arguments = (
        wanted.model,
        "--port",
        str(port),
        "--tensor-parallel-size",
        "1",
        "--shutdown-timeout",
        str(_DRAIN),
    )
    return ModelServerPlan(
        name=wanted.name,
        model=wanted.model,
        namespace=namespace,
        image=release.image.reference,
        arguments=arguments,
        environment=release.environment,
        replicas=wanted.replicas,
        port=port,
        node_pool=pool.name,
        gpu_type=accelerator.gke_label,
        taints=taints_of(accelerator),
        resources=_share(machine, model, gpus=1),
        lifecycle=_lifecycle(model),
    )


def _share(machine: MachineType, model: Model, gpus: int) -> PodResourcesPlan:
    """A pod's fair share of its node: as much of everything as of the GPUs."""
    reserved = google_platform().reserved
    share = gpus / machine.gpus
    shared_memory = 2 * gpus
    return PodResourcesPlan(
        gpus=gpus,
        cpus=max(1, floor((reserved.allocatable_cpu(machine.vcpus) - _SYSTEM_CPUS) * share)),
        memory_gib=floor((reserved.allocatable_memory_gib(machine.memory_gib) - _SYSTEM_MEMORY_GIB) * share),
        ephemeral_storage_gib=ceil(model.checkpoint_gib * 1.1) + 10,
        shared_memory_gib=shared_memory,
    )


def _lifecycle(model: Model) -> LifecyclePlan:
    longest_start = 600 + ceil(model.checkpoint_gib * 20)
    return LifecyclePlan(
        startup_period=_STARTUP_PERIOD,
        startup_failures=ceil(longest_start / _STARTUP_PERIOD),
        rollout_deadline=longest_start + 600,
        pre_stop=_PRE_STOP,
        grace_period=_PRE_STOP + _DRAIN + _MARGIN,
    )
