"""Decides which namespaces model servers live in, and what each admits."""

from planning.plan import FabricPlan, HostAccessPlan, ModelServerPlan, NamespacePlan, PodSecurity, PreflightPlan
from planning.serving.transport import host_paths

SERVING = "serving"
FABRIC = "serving-rdma"
"""Holds the servers that span nodes over a fabric, and nothing else."""
PREFLIGHT = "nccl-preflight"
OWN_NAMESPACES = (SERVING, FABRIC, PREFLIGHT)


def namespace_of(*, on_fabric: bool) -> str:
    return FABRIC if on_fabric else SERVING


def plan_namespaces(
    fabric: FabricPlan | None, models: tuple[ModelServerPlan, ...], *, collect_metrics: bool
) -> tuple[NamespacePlan, ...]:
    """`serving` in every stack; the other only where a server is in it."""
    plans = [_namespace(SERVING, PodSecurity.RESTRICTED, None, collect_metrics)]
    if fabric is not None and any(model.namespace == FABRIC for model in models):
        plans.append(_on_fabric(fabric, collect_metrics))
    return tuple(plans)


def preflight_namespace(preflights: tuple[PreflightPlan, ...]) -> NamespacePlan | None:
    """Google's test images run as root, so they have a namespace that no server is in."""
    if not preflights:
        return None
    return _namespace(PREFLIGHT, PodSecurity.PRIVILEGED, None, collects_metrics=False)


def _on_fabric(fabric: FabricPlan, collects_metrics: bool) -> NamespacePlan:
    """Pod Security knows no profile that admits a read-only folder of the node and nothing more, so the namespace
    takes `privileged` and an admission policy takes back all but what the transport needs."""
    if not fabric.needs_host_access:
        return _namespace(FABRIC, PodSecurity.RESTRICTED, None, collects_metrics)
    sidecar = fabric.sidecar
    mounts = (*fabric.mounts, *(sidecar.mounts if sidecar else ()))
    host_access = HostAccessPlan(
        paths=tuple(sorted(set(host_paths(mounts)))),
        sidecar=sidecar.name if sidecar else None,
        capabilities=sidecar.capabilities if sidecar else (),
    )
    return _namespace(FABRIC, PodSecurity.PRIVILEGED, host_access, collects_metrics)


def _namespace(
    name: str, pod_security: PodSecurity, host_access: HostAccessPlan | None, collects_metrics: bool
) -> NamespacePlan:
    return NamespacePlan(
        name=name, pod_security=pod_security, host_access=host_access, collects_metrics=collects_metrics
    )
