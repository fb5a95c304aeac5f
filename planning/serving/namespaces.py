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


def plan_namespaces(fabric: FabricPlan | None, models: tuple[ModelServerPlan, ...]) -> tuple[NamespacePlan, ...]:
    """`serving` in every stack; the other only where a server is in it."""
    plans = [NamespacePlan(name=SERVING, pod_security=PodSecurity.RESTRICTED, host_access=None)]
    if fabric is not None and any(model.namespace == FABRIC for model in models):
        plans.append(_on_fabric(fabric))
    return tuple(plans)


def preflight_namespace(preflights: tuple[PreflightPlan, ...]) -> NamespacePlan | None:
    """Google's test images run as root, so they have a namespace that no server is in."""
    if not preflights:
        return None
    return NamespacePlan(name=PREFLIGHT, pod_security=PodSecurity.PRIVILEGED, host_access=None)


def _on_fabric(fabric: FabricPlan) -> NamespacePlan:
    """Pod Security knows no profile that admits a read-only folder of the node and nothing more, so the namespace
    takes `privileged` and an admission policy takes back all but what the transport needs."""
    if not fabric.needs_host_access:
        return NamespacePlan(name=FABRIC, pod_security=PodSecurity.RESTRICTED, host_access=None)
    sidecar = fabric.sidecar
    mounts = (*fabric.mounts, *(sidecar.mounts if sidecar else ()))
    return NamespacePlan(
        name=FABRIC,
        pod_security=PodSecurity.PRIVILEGED,
        host_access=HostAccessPlan(
            paths=tuple(sorted(set(host_paths(mounts)))),
            sidecar=sidecar.name if sidecar else None,
            capabilities=sidecar.capabilities if sidecar else (),
        ),
    )
