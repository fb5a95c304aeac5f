"""What a stack should have once it is up, by its plan; no cloud and no cluster is asked."""

from dataclasses import dataclass
from pathlib import Path

from catalog import PINS, VLLM_RELEASES, MachineType
from catalog.google import google_platform
from config import read_stack_file
from config.models import ModelSettings
from config.settings import Settings
from planning.errors import Findings
from planning.plan import ClusterPlan, ModelServerPlan, NodePoolPlan, PlatformPlan
from planning.platform import plan_platform
from planning.pools import resolve_pools


@dataclass(frozen=True)
class ExpectedModel:
    """A model that should answer. `nodes` and `gpus_per_node` are for one replica."""

    name: str
    namespace: str
    served_name: str
    port: int
    replicas: int
    nodes: int
    gpus_per_node: int
    tensor_parallel: int
    pipeline_parallel: int
    vllm_version: str
    nccl: str
    """The version of NCCL in the release's image."""
    driver_branch_floor: int
    cuda_compatibility: bool
    """Whether the image makes up for an older driver."""

    @property
    def pods(self) -> int:
        return self.replicas * self.nodes


@dataclass(frozen=True)
class ExpectedPool:
    """A pool of nodes with GPUs; the autoscaler may have added more nodes than these."""

    name: str
    least_nodes: int
    cpus: float
    """The CPUs of a node that pods may request, as the plan counts them; so are the next two, in GiB."""
    memory_gib: float
    disk_gib: float


@dataclass(frozen=True)
class ExpectedToken:
    """The place of the Hugging Face token for servers, in each of their namespaces."""

    kind: str
    name: str
    """The value of its label."""


@dataclass(frozen=True)
class Expectations:
    cluster: str
    own_cluster: bool
    """Whether the whole cluster is the stack's."""
    pools: tuple[ExpectedPool, ...]
    lws_namespace: str
    token: ExpectedToken
    models: tuple[ExpectedModel, ...]
    preflights: dict[str, str]
    """The software that each preflight would test today, by the preflight's name."""

    @classmethod
    def of(cls, folder: Path, stack: str) -> "Expectations":
        """The expectations for `folder/Pulumi.<stack>.yaml`. Raises ConfigurationError."""
        settings = read_stack_file(folder, stack)
        return expectations(settings, plan_platform(settings, stack))


def expectations(settings: Settings, plan: PlatformPlan) -> Expectations:
    wanted = {model.name: model for model in settings.models}
    machines = {pool.name: pool.machine for pool in resolve_pools(settings, Findings())}
    return Expectations(
        cluster=plan.cluster.name,
        own_cluster=isinstance(plan.cluster, ClusterPlan),
        pools=tuple(_pool(machines[pool.name], pool) for pool in plan.node_pools if not pool.waits),
        lws_namespace=plan.leader_worker_set.namespace,
        token=ExpectedToken("secretproviderclass" if plan.token.secret else "secret", plan.token.name),
        models=tuple(_model(wanted[model.name], model) for model in plan.models),
        preflights={preflight.name: preflight.tested_with for preflight in plan.preflights},
    )


def _pool(machine: MachineType, plan: NodePoolPlan) -> ExpectedPool:
    reserved = google_platform().reserved
    local_ssd_gib = machine.local_ssd.total_gib if plan.local_ssds else 0
    huge_pages_gib = (plan.huge_pages or 0) * 2 / 1024
    return ExpectedPool(
        name=plan.name,
        least_nodes=plan.min_nodes,
        cpus=reserved.allocatable_cpu(machine.vcpus),
        memory_gib=reserved.allocatable_memory_gib(machine.memory_gib) - huge_pages_gib,
        disk_gib=reserved.allocatable_ephemeral_gib(plan.boot_disk_size_gib, plan.local_ssds, local_ssd_gib),
    )


def _model(wanted: ModelSettings, plan: ModelServerPlan) -> ExpectedModel:
    release = VLLM_RELEASES[wanted.vllm_version or PINS.vllm]
    return ExpectedModel(
        name=plan.name,
        namespace=plan.namespace,
        served_name=plan.served_name,
        port=plan.port,
        replicas=plan.replicas,
        nodes=plan.shape.nodes,
        gpus_per_node=plan.shape.gpus_per_node,
        tensor_parallel=plan.shape.tensor_parallel,
        pipeline_parallel=plan.shape.pipeline_parallel,
        vllm_version=release.version,
        nccl=release.nccl,
        driver_branch_floor=release.driver_branch_floor,
        cuda_compatibility=wanted.cuda_compatibility,
    )
