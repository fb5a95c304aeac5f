"""Model servers and the controller of those that span nodes."""

from planning.load_time import LoadTime
from planning.performance.expected import ExpectedService
from planning.plan.decision import Decision, Taint
from planning.plan.network import FabricClaim, FabricMount, FabricSidecar, InterfacePlan
from planning.shape import ShapePlan


class LeaderWorkerSetPlan(Decision):
    name: str
    namespace: str
    chart: str
    version: str
    controller_tag: str
    """The chart's own default follows its main branch."""
    replicas: int
    """Of the controller. Its webhooks refuse every group and every pod of a group while none of them answers."""
    priority_class: str


class LifecyclePlan(Decision):
    """When a server counts as started, and how it goes. Seconds, but for `startup_failures`."""

    startup_period: int
    startup_failures: int
    """Probes that may fail before the server counts as stuck; times the period it is the longest start."""
    progress_deadline: int
    """In which an update must bring one replica further: an image, a start, and the shutdown of the one before."""
    rollout_deadline: int
    """For the whole of an update, replica after replica."""
    pre_stop: int
    """Time for endpoints to forget the pod before it stops taking requests."""
    drain: int
    """vLLM's own, after SIGTERM, to finish what it began."""
    grace_period: int
    """From the wish to stop to the kill: preStop, drain, and a margin."""

    @property
    def longest_start(self) -> int:
        return self.startup_period * self.startup_failures

    @property
    def worker_pre_stop(self) -> int:
        """The other pods of a group stay until its leader has drained: without them it could finish nothing."""
        return self.pre_stop + self.drain


class PodResourcesPlan(Decision):
    """Of one pod; requests equal limits. Memory includes what /dev/shm and offloaded KV blocks take of it."""

    gpus: int
    cpus: int
    memory_gib: int
    shared_memory_gib: int
    ephemeral_storage_gib: int
    """Of the three volumes below together, and the container's log."""
    weights_gib: int
    kernels_gib: int
    """What is compiled at the first start."""
    temporary_gib: int


class PodTransportPlan(Decision):
    """What a pod is given that talks to pods of other nodes over the fabric."""

    transport: str
    interfaces: tuple[InterfacePlan, ...]
    """Besides the default one, eth0."""
    zero_resources: tuple[str, ...]
    """Extended resources that GKE would ask for by itself and that its newer nodes do not advertise."""
    mounts: tuple[FabricMount, ...]
    claims: tuple[FabricClaim, ...]
    sidecar: FabricSidecar | None
    sidecar_cpus: int
    sidecar_memory_gib: int
    """Of the sidecar, where there is one; besides what the server's own container has."""


class RolloutPlan(Decision):
    """How an update replaces replicas: by one more than there are, or by one less."""

    max_surge: int
    max_unavailable: int


class SchedulingPlan(Decision):
    """What the scheduler is asked to prefer."""

    shares_node: bool
    """Next to other servers that leave GPUs of their node free, so that whole nodes stay whole."""
    spread: bool
    """Replicas on nodes of their own: the pool has room for that."""


class ModelServerPlan(Decision):
    """One served model: a server of one pod is a Deployment, one that spans nodes a LeaderWorkerSet; and a Service."""

    name: str
    """Of the Deployment, the Service and whatever else belongs to it."""
    model: str
    served_name: str
    """What clients ask for."""
    adapters: tuple[str, ...]
    """Further names that clients may ask for."""
    namespace: str
    image: str
    ray: bool
    """Ray joins the nodes of a server, started by the leader before vLLM."""
    arguments: tuple[str, ...]
    """What follows `vllm serve` in the pod that answers requests."""
    worker_arguments: tuple[str, ...]
    """The same in the other pods of a server that spans nodes, or what follows `ray start` there; else empty."""
    environment: dict[str, str]
    replicas: int
    port: int
    node_pool: str
    gpu_type: str
    taints: tuple[Taint, ...]
    shape: ShapePlan
    expected: ExpectedService | None
    """How it is to serve, where the stack asks for a service objective."""
    resources: PodResourcesPlan
    load: LoadTime
    lifecycle: LifecyclePlan
    transport: PodTransportPlan | None
    rollout: RolloutPlan
    scheduling: SchedulingPlan
    priority_class: str
    min_available_pods: int | None
    """Of the disruption budget; None: there is none, since with one replica it would only block every drain."""

    @property
    def is_group(self) -> bool:
        """Whether a replica is several pods, one on each of several nodes."""
        return self.shape.nodes > 1

    @property
    def group_name(self) -> str:
        """Of the LeaderWorkerSet, which makes a headless Service by the same name."""
        return f"{self.name}-group"
