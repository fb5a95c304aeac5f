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
    fabric: FabricPlan | None, models: tuple[ModelServerPlan, ...], *, collect_metrics: bool, fills_bucket: bool
) -> tuple[NamespacePlan, ...]:
    """`serving` in every stack; the other only where a server is in it."""
    return tuple(
        _for_servers(name, fabric if name == FABRIC else None, inside, collect_metrics).model_copy(
            update={"fills_bucket": fills_bucket and name == SERVING}
        )
        for name in _FOR_SERVERS
        if (inside := [model for model in models if model.namespace == name]) or name == SERVING
    )


def preflight_namespace(preflights: tuple[PreflightPlan, ...]) -> NamespacePlan | None:
    """Google's test images run as root, so they have a namespace that no server is in."""
    if not preflights:
        return None
    return NamespacePlan(
        name=PREFLIGHT,
        pod_security=PodSecurity.PRIVILEGED,
        host_access=None,
        collects_metrics=False,
        fills_bucket=False,
        server_ports=(),
    )


def _for_servers(
    name: str, fabric: FabricPlan | None, models: list[ModelServerPlan], collects_metrics: bool
) -> NamespacePlan:
    """Pod Security knows no profile that admits some folders of the node and nothing more, so a namespace with such
    pods takes `privileged`, and an admission policy takes back all but these."""
    host_access = _host_access(fabric, models)
    return NamespacePlan(
        name=name,
        pod_security=PodSecurity.PRIVILEGED if host_access else PodSecurity.RESTRICTED,
        host_access=host_access,
        collects_metrics=collects_metrics,
        fills_bucket=False,
        server_ports=tuple(sorted({model.port for model in models})),
    )


def _host_access(fabric: FabricPlan | None, models: list[ModelServerPlan]) -> HostAccessPlan | None:
    """What the pods use of their node; None: nothing."""
    on_fabric = fabric if fabric is not None and fabric.needs_host_access else None
    sidecar = on_fabric.sidecar if on_fabric else None
    mounts = (*(on_fabric.mounts if on_fabric else ()), *(sidecar.mounts if sidecar else ()))
    caches = {use.host_path for model in models if (use := model.weights.node_cache)}
    if not (mounts or sidecar or caches):
        return None
    return HostAccessPlan(
        paths=tuple(sorted(set(host_paths(mounts)))),
        writable_paths=tuple(sorted(caches)),
        sidecar=sidecar.name if sidecar else None,
        capabilities=sidecar.capabilities if sidecar else (),
    )
