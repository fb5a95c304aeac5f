"""The namespaces of model servers, and who may connect to whom."""

from enum import StrEnum

from planning.plan.decision import Decision


class PodSecurity(StrEnum):
    """The profile of Kubernetes' Pod Security admission that a namespace enforces."""

    RESTRICTED = "restricted"
    PRIVILEGED = "privileged"


class HostAccessPlan(Decision):
    """The only parts of their node that pods of a namespace may use, although their Pod Security profile would allow
    more."""

    paths: tuple[str, ...]
    """Folders of the node; all are read-only except for the sidecar."""
    sidecar: str | None
    """The name of the one container that may run as root, with these capabilities; None: there is none."""
    capabilities: tuple[str, ...]


class NamespacePlan(Decision):
    name: str
    pod_security: PodSecurity
    host_access: HostAccessPlan | None
    """What pods may use of their node, which an admission policy enforces; None: nothing."""
    collects_metrics: bool
    """Whether managed Prometheus asks every server in it for its metrics."""


class CallerPlan(Decision):
    """Pods of another namespace: those with the labels, or all of them if there are no labels."""

    namespace: str
    pod_labels: dict[str, str]
    why: str


class CallerRangePlan(Decision):
    """Clients outside of the cluster with an address in the range."""

    cidr: str
    why: str


class AccessPlan(Decision):
    """Who may connect to a server's port, and where its pods may connect to; everything else is denied."""

    callers: tuple[CallerPlan, ...]
    caller_ranges: tuple[CallerRangePlan, ...]
    name_servers: tuple[CallerPlan, ...]
    name_server_addresses: tuple[str, ...]
    """Ranges (CIDR) of the servers for names, where the node itself answers."""
    private_ranges: tuple[str, ...]
    """Ranges (CIDR) that are not part of the internet, where the hub is."""


class PriorityClassPlan(Decision):
    name: str
    value: int
