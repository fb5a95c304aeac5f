"""The test of the network between accelerator nodes, before a model depends on it."""

from planning.plan.decision import Decision, Taint
from planning.plan.serving import PodTransportPlan


class ServerNccl(Decision):
    """The version of NCCL that a server over several nodes will use; the test has another one."""

    server: str
    image: str
    nccl: str


class PreflightPlan(Decision):
    """An all-gather of NCCL over all GPUs of some nodes of a pool, which must be free for it."""

    name: str
    namespace: str
    node_pool: str
    gpu_type: str
    nodes: int
    gpus_per_node: int
    taints: tuple[Taint, ...]
    image: str
    tested_with: str
    """The image and the installer. A change of them is no reason to test a pool that is in use, but good to know."""
    prepare: tuple[str, ...]
    """Shell lines that every node runs, to answer the first one."""
    meet: tuple[str, ...]
    """Shell lines that the first node runs until all answer."""
    measure: str
    """The command that the first node runs then."""
    environment: dict[str, str]
    transport: PodTransportPlan
    deadline_seconds: int
    floor_gbytes_per_second: float
    """The lowest accepted peak of bus bandwidth, in GB/s. Below it the test fails, and no server is built."""
    floor_reason: str
    servers: tuple[ServerNccl, ...]
