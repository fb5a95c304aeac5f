"""Where model servers live in the cluster, and who may talk to them."""

from enum import StrEnum

from planning.plan.decision import Decision


class PodSecurity(StrEnum):
    """The profile of Kubernetes' Pod Security admission that a namespace enforces."""

    RESTRICTED = "restricted"
    PRIVILEGED = "privileged"


class HostAccessPlan(Decision):
    """All that pods of a namespace may take of their node, though its Pod Security profile would let them take more."""

    paths: tuple[str, ...]
    """Folders of the node, read-only but for the sidecar."""
    sidecar: str | None
    """Name of the one container that may run as root, with these capabilities."""
    capabilities: tuple[str, ...]


class NamespacePlan(Decision):
    name: str
    pod_security: PodSecurity
    host_access: HostAccessPlan | None
    """None: nothing of the node. Else an admission policy holds pods to it."""
    collects_metrics: bool
    """Managed Prometheus asks every server in it for its metrics."""


class CallerPlan(Decision):
    """Pods of another namespace: those with the labels, or all of it where there are none."""

    namespace: str
    pod_labels: dict[str, str]
    why: str


class CallerRangePlan(Decision):
    """Whoever has an address of the range and is no pod of the cluster."""

    cidr: str
    why: str


class AccessPlan(Decision):
    """Who may reach a server's port, and where its pods may go; all else is denied."""

    callers: tuple[CallerPlan, ...]
    caller_ranges: tuple[CallerRangePlan, ...]
    name_servers: tuple[CallerPlan, ...]
    name_server_addresses: tuple[str, ...]
    """CIDRs, where the node answers names itself."""
    private_ranges: tuple[str, ...]
    """CIDRs that are no part of the internet, which the hub is in."""


class PriorityClassPlan(Decision):
    name: str
    value: int
