"""The test of the network between accelerator nodes, before a model depends on it."""

from catalog import Taint
from planning.decision import Decision
from planning.plan.serving import PodTransportPlan


class ServerNccl(Decision):
    """The version of NCCL that a server over several nodes will use; the test has another one."""

    server: str
    """Name of the model server."""
    image: str
    """Reference of its image."""
    nccl: str
    """Version in that image."""


class PreflightPlan(Decision):
    """An all-gather of NCCL over all GPUs of some nodes of a pool, which must be free for it."""

    name: str
    """The name of the Job."""
    namespace: str
    """The namespace of the Job."""
    node_pool: str
    """Name of the pool that is tested."""
    gpu_type: str
    """The value of the label cloud.google.com/gke-accelerator."""
    nodes: int
    """The number of nodes that take part."""
    gpus_per_node: int
    """The number of GPUs of each node that take part: all of them."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""
    image: str
    """Reference of the image with the test."""
    tested_with: str
    """The image and the installer. A change of them is no reason to test a pool that is in use, but good to know."""
    prepare: tuple[str, ...]
    """Shell lines that every node runs, to answer the first one."""
    meet: tuple[str, ...]
    """Shell lines that the first node runs until all answer."""
    measure: str
    """The command that the first node runs then."""
    environment: dict[str, str]
    """Variables of its container."""
    transport: PodTransportPlan
    """What its pods are given to talk over the fabric."""
    deadline_seconds: int
    """Seconds after which it counts as failed."""
    floor_gbytes_per_second: float
    """The lowest accepted peak of bus bandwidth, in GB/s. Below it the test fails, and no server is built."""
    floor_reason: str
    """Where the floor comes from, for people."""
    servers: tuple[ServerNccl, ...]
    """The servers that the pool is tested for."""
