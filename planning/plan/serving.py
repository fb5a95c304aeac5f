"""Model servers and the controller of those that span nodes."""

from catalog import PodMount, Sidecar, Taint, Transport
from catalog.cold_start import WeightSource
from planning.decision import Decision
from planning.load_time import LoadTime
from planning.performance.expected import ExpectedService
from planning.plan.network import FabricClaim, InterfacePlan
from planning.plan.weights_bucket import BucketUse
from planning.shape import ShapePlan


class LeaderWorkerSetPlan(Decision):
    """The controller of servers that span nodes, as its Helm chart."""

    name: str
    """The name of the Helm release."""
    namespace: str
    """The namespace of the Helm release."""
    chart: str
    """OCI reference or folder of the chart."""
    version: str
    """The version of the chart."""
    controller_tag: str
    """The tag of the controller's image; the chart's own default follows its main branch."""
    replicas: int
    """The number of replicas of the controller. While none of them answers, its webhooks refuse every group and every
    pod of a group."""
    priority_class: str
    """Name of the controller's PriorityClass."""


class LifecyclePlan(Decision):
    """When a server counts as started, and how it shuts down. All values but `startup_failures` are seconds."""

    startup_period: int
    """Seconds between two probes of a start."""
    startup_failures: int
    """The number of probes that may fail before the server counts as stuck; times the period, it is the longest
    start."""
    progress_deadline: int
    """The time in which an update must finish one more replica: its image, its start, and the shutdown of the one
    before."""
    rollout_deadline: int
    """The time for a whole update, replica after replica."""
    pre_stop: int
    """The time before the pod stops taking requests, in which load balancers learn that it is gone."""
    drain: int
    """The time that vLLM gives running requests after SIGTERM."""
    grace_period: int
    """The time from the request to stop until the kill: preStop, drain, and a margin."""

    @property
    def longest_start(self) -> int:
        return self.startup_period * self.startup_failures

    @property
    def worker_pre_stop(self) -> int:
        """The preStop time of a group's other pods: they stay until the leader has drained, since it needs them for
        that."""
        return self.pre_stop + self.drain


class PodResourcesPlan(Decision):
    """The resources of one pod; requests equal limits. The memory includes /dev/shm and KV blocks that are
    offloaded."""

    gpus: int
    """Number of nvidia.com/gpu."""
    cpus: int
    """Number of CPUs."""
    memory_gib: int
    """GiB."""
    shared_memory_gib: int
    """GiB of /dev/shm."""
    ephemeral_storage_gib: int
    """The ephemeral storage of the pod's own volumes and of the container's log."""
    weights_gib: int
    """GiB of the checkpoint that is fetched: into a volume of the pod, or into the node's cache."""
    kernels_gib: int
    """The size of what is compiled at the first start, where it is kept in a volume of the pod, and of home folders."""
    temporary_gib: int
    """GiB of /tmp."""


class PodTransportPlan(Decision):
    """The parts of a pod that uses the fabric to reach pods on other nodes."""

    transport: Transport
    """The way on which NCCL's data go."""
    interfaces: tuple[InterfacePlan, ...]
    """The interfaces besides the default one, eth0."""
    zero_resources: tuple[str, ...]
    """Extended resources that are set to zero: GKE would ask for them by itself, and its newer nodes do not offer
    them."""
    mounts: tuple[PodMount, ...]
    """The volume mounts of the container that uses the transport."""
    claims: tuple[FabricClaim, ...]
    """The claims of devices."""
    sidecar: Sidecar | None
    """The daemon beside the container; None: the transport needs none."""
    sidecar_cpus: int
    """CPUs; 0 without a sidecar."""
    sidecar_memory_gib: int
    """The memory of the sidecar, besides that of the server's own container; 0 without a sidecar."""


class WeightsOption(Decision):
    """One place that the weights of a server could come from."""

    source: WeightSource
    """Where they come from."""
    chosen: bool
    """Whether the plan takes it."""
    first: LoadTime
    """A start on nodes that have nothing of it yet."""
    again: LoadTime
    """A later start on the same nodes: after a crash, an eviction or a rollout."""
    first_usd: float | None
    """US dollars of the first start: GPUs that wait, and traffic; None: the machine's price is not known."""
    again_usd: float | None
    """The same of a later one."""
    usd_month: float | None
    """US dollars a month for what is kept of the checkpoint, besides machines; None: the price is not known."""
    refused: str | None
    """The reason for which the stack cannot have it; None: it can."""


class NodeCacheUse(Decision):
    """The part of a model server in the cache of its nodes."""

    host_path: str
    """Folder of the node that all pods of the model share."""
    repositories: tuple[str, ...]
    """What is fetched before vLLM starts, each as Hugging Face id, or as id@revision; empty: only kernels are kept."""
    room_gib: int
    """GiB that these may have."""
    kernels: str
    """Name of the folder for what the server compiles: another one for another model, accelerator, image or command
    line."""


class WeightsPlan(Decision):
    """Where a server's weights come from."""

    source: WeightSource
    """Where they come from."""
    why: str
    """The reason, for people."""
    bucket: BucketUse | None
    """Its part in the bucket; None: they come from elsewhere."""
    node_cache: NodeCacheUse | None
    """Its part in its nodes' cache; None: each pod has a volume of its own."""
    options: tuple[WeightsOption, ...]
    """All places, with what each takes and costs."""


class RolloutPlan(Decision):
    """How an update replaces replicas: by one more than there are, or by one less."""

    max_surge: int
    """Replicas that there may be too many."""
    max_unavailable: int
    """Replicas that may be missing."""


class SchedulingPlan(Decision):
    """The preferences for the scheduler."""

    shares_node: bool
    """Whether it prefers nodes on which other servers leave GPUs free, so that empty nodes stay empty."""
    spread: bool
    """Whether each replica prefers a node of its own, since the pool has room for that."""


class ModelServerPlan(Decision):
    """One served model. A server of one pod is a Deployment, one that spans nodes is a LeaderWorkerSet; both have a
    Service."""

    name: str
    """The name of the Deployment, the Service and everything else that belongs to it."""
    model: str
    """Hugging Face id of the checkpoint."""
    served_name: str
    """The model's name in requests of clients."""
    adapters: tuple[str, ...]
    """More names that clients may ask for."""
    namespace: str
    """The namespace of all that belongs to it."""
    image: str
    """Reference of the image."""
    ray: bool
    """Whether Ray connects the nodes of a server; the leader starts it before vLLM."""
    arguments: tuple[str, ...]
    """The arguments of `vllm serve` in the pod that answers requests."""
    worker_arguments: tuple[str, ...]
    """The same in the other pods of a server that spans nodes, or the arguments of `ray start` there; else empty."""
    environment: dict[str, str]
    """Variables of the server's container."""
    replicas: int
    """Servers of the model."""
    port: int
    """The port of HTTP."""
    node_pool: str
    """Name of the pool that it runs on."""
    gpu_type: str
    """The value of the label cloud.google.com/gke-accelerator."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""
    shape: ShapePlan
    """How the model lies on GPUs, and why."""
    expected: ExpectedService | None
    """How it is to serve, where the stack asks for a service objective."""
    resources: PodResourcesPlan
    """The resources of each pod."""
    weights: WeightsPlan
    """Where its weights come from."""
    load: LoadTime
    """What a start takes on nodes that have nothing of it yet."""
    lifecycle: LifecyclePlan
    """How it starts and stops."""
    transport: PodTransportPlan | None
    """What its pods are given to talk over the fabric; None: they talk over none."""
    rollout: RolloutPlan
    """How an update replaces replicas."""
    scheduling: SchedulingPlan
    """Wishes, which the scheduler may not be able to meet."""
    priority_class: str
    """Name of the pods' PriorityClass."""
    min_available_pods: int | None
    """The least number of pods in the disruption budget. None: there is no budget, since with one replica it would only
    block every drain."""

    @property
    def is_group(self) -> bool:
        """Whether a replica is several pods, one on each of several nodes."""
        return self.shape.nodes > 1

    @property
    def group_name(self) -> str:
        """The name of the LeaderWorkerSet, which makes a headless Service with the same name."""
        return f"{self.name}-group"
