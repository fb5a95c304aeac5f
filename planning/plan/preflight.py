"""The test of the network between accelerator nodes, before a model depends on it."""

from planning.plan.decision import Decision, Taint
from planning.plan.serving import PodTransportPlan


class ServerNccl(Decision):
    """The NCCL that a server over nodes will use, which is not the one that the test measures with."""

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
    """Image and installer; others are no reason to test a pool again that is in use, but one to know of."""
    prepare: tuple[str, ...]
    """Shell lines that every node runs, to answer the first one."""
    meet: tuple[str, ...]
    """Shell lines that the first node runs until all answer."""
    measure: str
    """The command that it runs then."""
    environment: dict[str, str]
    transport: PodTransportPlan
    deadline_seconds: int
    floor_gbytes_per_second: float
    """Peak of bus bandwidth below which the test fails, and no server is built."""
    floor_reason: str
    servers: tuple[ServerNccl, ...]
