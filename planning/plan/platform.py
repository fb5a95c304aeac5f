"""The whole plan of a stack."""

from planning.decision import Decision
from planning.plan.access import AccessPlan, NamespacePlan, PriorityClassPlan
from planning.plan.capacity import AddressUse, CostPlan, PoolUse, QuotaNeed
from planning.plan.cluster import ClusterPlan, ExistingClusterPlan
from planning.plan.environment import AlertsPlan, ProtectionPlan, TokenPlan
from planning.plan.images import ImageMirrorPlan, PrePullPlan
from planning.plan.network import ClusterNetworkPlan, ComputeDomainPlan, ExistingNetworkPlan, FabricPlan
from planning.plan.node_pools import DraDriverPlan, NcclInstallerPlan, NodeCachePlan, NodeDaemonPlan, NodePoolPlan
from planning.plan.preflight import PreflightPlan
from planning.plan.serving import LeaderWorkerSetPlan, ModelServerPlan
from planning.plan.weights_bucket import BucketFillPlan, WeightsBucketPlan


class Warning(Decision):
    """What a person should know before spending money; `path` is the key in the stack file that it is about."""

    path: str
    """Key of the stack file, such as nodePools[0].zone."""
    text: str
    """What is known, in one line."""


class PlatformPlan(Decision):
    """Everything that a stack will be. It alone decides the graph: no resource depends on a value that is only known
    later."""

    name_prefix: str
    """First part of every name in Google Cloud."""
    region: str
    """Google Cloud region of all of it."""
    services: tuple[str, ...]
    """APIs of Google's that the project must have on."""
    labels: dict[str, str]
    """The labels for everything that can have labels."""
    protection: ProtectionPlan
    """What an update refuses to delete or replace."""
    alerts: AlertsPlan | None
    """The alerts; None: nobody is told of anything, and no metrics of the servers are collected."""
    image_mirror: ImageMirrorPlan | None
    """The repository in front of Docker Hub; None: its images come from there."""
    weights_bucket: WeightsBucketPlan | None
    """The bucket with weights; None: there is none."""
    bucket_fills: tuple[BucketFillPlan, ...]
    """One for each checkpoint that servers read from the bucket."""
    cluster: ClusterPlan | ExistingClusterPlan
    """One that the stack makes, or one that exists already and that it joins."""
    fabric: FabricPlan | None
    """The networks between accelerator nodes; None: no node has a NIC for them."""
    node_pools: tuple[NodePoolPlan, ...]
    """The pools in the order of the stack file."""
    gpu_nodes_keep_version: bool
    """Whether nodes with GPUs keep their version until its support ends or somebody upgrades them."""
    nccl_installers: tuple[NcclInstallerPlan, ...]
    """One for the stack's transport; empty: it has none, or the cluster has it already."""
    node_daemons: tuple[NodeDaemonPlan, ...]
    """What the transport needs on each of its nodes besides; empty as for the installers."""
    node_caches: tuple[NodeCachePlan, ...]
    """One for each pool with a server that keeps its weights on its nodes."""
    pre_pulls: tuple[PrePullPlan, ...]
    """One for each pool whose servers' images are pulled before; empty: servers pull them."""
    dra_driver: DraDriverPlan | None
    """NVIDIA's; None: no accelerator of the stack joins nodes by NVLink."""
    compute_domains: tuple[ComputeDomainPlan, ...]
    """One for each server and each test whose pods share memory over NVLink."""
    namespaces: tuple[NamespacePlan, ...]
    """The namespaces of the model servers."""
    preflight_namespace: NamespacePlan | None
    """The namespace of the tests between nodes; None: there is no test."""
    access: AccessPlan
    """Who may reach the servers, and what these may reach."""
    priority_class: PriorityClassPlan
    """The PriorityClass of the model servers."""
    token: TokenPlan
    """Where servers find the Hugging Face token."""
    leader_worker_set: LeaderWorkerSetPlan
    """The controller of servers that span nodes."""
    preflights: tuple[PreflightPlan, ...]
    """The tests between nodes, before a server depends on them."""
    models: tuple[ModelServerPlan, ...]
    """Those that are deployed: not those whose pool waits for its reservation."""
    pool_use: tuple[PoolUse, ...]
    """How models fill the pools, in the order of `node_pools`."""
    addresses: tuple[AddressUse, ...]
    """The use of the ranges that nodes and pods have addresses of."""
    quotas: tuple[QuotaNeed, ...]
    """Limits of the project that the stack comes up against."""
    cost: CostPlan
    """At list prices."""
    effects: dict[str, str]
    """What a change of each field of the stack file would replace; fields that are not named change in place."""
    warnings: tuple[Warning, ...]
    """The warnings in the order in which they were found."""

    @property
    def network(self) -> ClusterNetworkPlan | ExistingNetworkPlan | None:
        """The network of a cluster that the stack makes; None for an existing cluster, which already is in a
        network."""
        return self.cluster.network if isinstance(self.cluster, ClusterPlan) else None
