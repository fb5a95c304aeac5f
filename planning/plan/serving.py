"""Model servers and the controller of those that span nodes."""

from planning.load_time import LoadTime
from planning.plan.decision import Decision, Taint
from planning.shape import ShapePlan


class LeaderWorkerSetPlan(Decision):
    name: str
    namespace: str
    chart: str
    version: str
    controller_tag: str
    """The chart's own default follows its main branch."""


class LifecyclePlan(Decision):
    """When a server counts as started, and how it goes. Seconds, but for `startup_failures`."""

    startup_period: int
    startup_failures: int
    """Probes that may fail before the server counts as stuck; times the period it is the longest start."""
    rollout_deadline: int
    pre_stop: int
    """Time for endpoints to forget the pod before it stops taking requests."""
    grace_period: int
    """From the wish to stop to the kill: preStop, vLLM's own drain, and a margin."""


class PodResourcesPlan(Decision):
    gpus: int
    cpus: int
    memory_gib: int
    ephemeral_storage_gib: int
    shared_memory_gib: int


class ModelServerPlan(Decision):
    """One served model: a server of one pod is a Deployment, one that spans nodes a LeaderWorkerSet; and a Service."""

    name: str
    model: str
    namespace: str
    image: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    replicas: int
    port: int
    node_pool: str
    gpu_type: str
    taints: tuple[Taint, ...]
    shape: ShapePlan
    resources: PodResourcesPlan
    load: LoadTime
    lifecycle: LifecyclePlan
