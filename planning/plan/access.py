"""The namespaces of model servers, and who may connect to whom."""

from enum import StrEnum

from planning.decision import Decision


class PodSecurity(StrEnum):
    """The profile of Kubernetes' Pod Security admission that a namespace enforces."""

    RESTRICTED = "restricted"
    PRIVILEGED = "privileged"


class HostAccessPlan(Decision):
    """The only parts of their node that pods of a namespace may use, although their Pod Security profile would allow
    more."""

    paths: tuple[str, ...]
    """Folders of the node that are read-only except for the sidecar."""
    writable_paths: tuple[str, ...]
    """Folders of the node that hold what the pods of a model share."""
    sidecar: str | None
    """The name of the one container that may run as root, with these capabilities; None: there is none."""
    capabilities: tuple[str, ...]
    """Linux capabilities, without CAP_; empty without a sidecar."""


class NamespacePlan(Decision):
    """A namespace of the stack's own."""

    name: str
    """The name of the namespace."""
    pod_security: PodSecurity
    """What the namespace enforces on its pods."""
    host_access: HostAccessPlan | None
    """What pods may use of their node, which an admission policy enforces; None: nothing."""
    collects_metrics: bool
    """Whether managed Prometheus asks every server in it for its metrics."""
    fills_bucket: bool
    """Whether Jobs in it copy weights from the hub to the bucket."""
    server_ports: tuple[int, ...]
    """The ports that its model servers listen on; empty: it holds no server."""


class CallerPlan(Decision):
    """Pods of another namespace: those with the labels, or all of them if there are no labels."""

    namespace: str
    """The namespace of these pods."""
    pod_labels: dict[str, str]
    """Labels that all of them have; empty: any pod of the namespace."""
    why: str
    """What they call for, for people."""


class CallerRangePlan(Decision):
    """Clients outside of the cluster with an address in the range."""

    cidr: str
    """IPv4 range."""
    why: str
    """What they call for, for people."""


class ServerAddressPlan(Decision):
    """Where something listens, by TCP."""

    cidr: str
    """IPv4 range."""
    port: int
    """The port."""


class AccessPlan(Decision):
    """Who may connect to a server's port, and where its pods may connect to; everything else is denied."""

    callers: tuple[CallerPlan, ...]
    """Pods that may call."""
    caller_ranges: tuple[CallerRangePlan, ...]
    """Addresses that may call."""
    name_servers: tuple[CallerPlan, ...]
    """Pods that answer names."""
    name_server_addresses: tuple[str, ...]
    """Ranges (CIDR) of the servers for names, where the node itself answers."""
    metadata_servers: tuple[ServerAddressPlan, ...]
    """Where pods ask for the token of their Google account; empty: none has one."""
    private_ranges: tuple[str, ...]
    """Ranges (CIDR) that are not part of the internet, where the hub is."""


class PriorityClassPlan(Decision):
    """How much more a model server counts than what else runs on the nodes."""

    name: str
    """The name of the PriorityClass."""
    value: int
    """Pods of a higher value take the place of pods of a lower one."""
