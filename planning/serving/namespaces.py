"""Decides which namespaces model servers live in, and what each admits."""

from planning.plan import FabricPlan, HostAccessPlan, ModelServerPlan, NamespacePlan, PodSecurity, PreflightPlan
from planning.serving.transport import host_paths

SERVING = "serving"
FABRIC = "serving-rdma"
"""Holds the servers that span nodes over a fabric, and nothing else."""
PREFLIGHT = "nccl-preflight"
_FOR_SERVERS = (SERVING, FABRIC)
OWN_NAMESPACES = (*_FOR_SERVERS, PREFLIGHT)


def namespace_of(*, on_fabric: bool) -> str:
    return FABRIC if on_fabric else SERVING


def plan_namespaces(
    fabric: FabricPlan | None, models: tuple[ModelServerPlan, ...], *, collect_metrics: bool
) -> tuple[NamespacePlan, ...]:
    """`serving` in every stack; the other only where a server is in it."""
    ports = {name: tuple(sorted({model.port for model in models if model.namespace == name})) for name in _FOR_SERVERS}
    serving = NamespacePlan(
        name=SERVING,
        pod_security=PodSecurity.RESTRICTED,
        host_access=None,
        collects_metrics=collect_metrics,
        server_ports=ports[SERVING],
    )
    if fabric is None or not ports[FABRIC]:
        return (serving,)
    host_access = _host_access(fabric)
    on_fabric = NamespacePlan(
        name=FABRIC,
        # Pod Security knows no profile that admits a read-only folder of the node and nothing more, so the namespace
        # takes `privileged`, and an admission policy takes back all but what the transport needs.
        pod_security=PodSecurity.PRIVILEGED if host_access else PodSecurity.RESTRICTED,
        host_access=host_access,
        collects_metrics=collect_metrics,
        server_ports=ports[FABRIC],
    )
    return serving, on_fabric


def preflight_namespace(preflights: tuple[PreflightPlan, ...]) -> NamespacePlan | None:
    """Google's test images run as root, so they have a namespace that no server is in."""
    if not preflights:
        return None
    return NamespacePlan(
        name=PREFLIGHT,
        pod_security=PodSecurity.PRIVILEGED,
        host_access=None,
        collects_metrics=False,
        server_ports=(),
    )


def _host_access(fabric: FabricPlan) -> HostAccessPlan | None:
    """What pods on the fabric use of their node; None: nothing."""
    if not fabric.needs_host_access:
        return None
    sidecar = fabric.sidecar
    mounts = (*fabric.mounts, *(sidecar.mounts if sidecar else ()))
    return HostAccessPlan(
        paths=tuple(sorted(set(host_paths(mounts)))),
        sidecar=sidecar.name if sidecar else None,
        capabilities=sidecar.capabilities if sidecar else (),
    )
