"""Decides who may reach a model server, where its pods may go, and before whom they are scheduled."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from catalog.cluster_services import Pods, cluster_services
from config.settings import Settings
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.plan import AccessPlan, CallerPlan, CallerRangePlan, PriorityClassPlan, ServerAddressPlan
from planning.serving.namespaces import OWN_NAMESPACES

PRIORITY_CLASS = "model-serving"
_PATH = "access.callers"


def plan_access(settings: Settings, ranges: AddressRanges, findings: Findings, *, asks_google: bool) -> AccessPlan:
    """Besides those whom the stack file names, Prometheus for metrics and whoever may use `kubectl port-forward`.

    `asks_google`: whether pods ask Google for something by themselves.
    """
    services, callers = cluster_services(), settings.access.callers
    _check_namespaces(settings, findings)
    _check_ranges(settings, ranges, findings)
    return AccessPlan(
        callers=(
            *(CallerPlan(namespace=name, pod_labels={}, why="requests of its pods") for name in callers.namespaces),
            _caller(services.monitoring, "metrics"),
            _caller(services.api_server_tunnel, "kubectl port-forward and the service proxy"),
        ),
        caller_ranges=(
            *(CallerRangePlan(cidr=str(cidr), why="requests of clients there") for cidr in callers.ranges),
            *_load_balancers(settings),
        ),
        name_servers=tuple(_caller(pods, "names") for pods in services.name_servers),
        name_server_addresses=services.name_server_addresses,
        metadata_servers=tuple(
            ServerAddressPlan(cidr=each.cidr, port=each.port) for each in services.metadata_servers if asks_google
        ),
        private_ranges=services.private_ranges,
    )


def plan_priority() -> PriorityClassPlan:
    """The priority of models, above jobs and experiments: a model that waits for its GPUs takes them from pods of a
    lower class."""
    return PriorityClassPlan(name=PRIORITY_CLASS, value=cluster_services().serving_priority)


def _caller(pods: Pods, why: str) -> CallerPlan:
    return CallerPlan(namespace=pods.namespace, pod_labels=pods.labels, why=why)


def _load_balancers(settings: Settings) -> Iterator[CallerRangePlan]:
    balancers = settings.access.callers.google_load_balancers
    if balancers is None:
        return
    if balancers.proxy_only_range:
        yield CallerRangePlan(cidr=str(balancers.proxy_only_range), why="requests through Google's load balancers")
        why = "health checks of Google's load balancers"
    else:
        why = "requests through Google's load balancers, and their health checks"
    yield from (CallerRangePlan(cidr=cidr, why=why) for cidr in cluster_services().load_balancer_ranges)


def _check_namespaces(settings: Settings, findings: Findings) -> None:
    for index, name in enumerate(settings.access.callers.namespaces):
        if name in OWN_NAMESPACES:
            findings.refuse(
                f"{_PATH}.namespaces[{index}]",
                f"{name} is a namespace of the stack's own servers and tests, which have nothing to ask each other",
                "Write the namespace of whoever calls them",
            )


def _check_ranges(settings: Settings, ranges: AddressRanges, findings: Findings) -> None:
    """A pod is let in by its namespace; a range that holds pods would let in all of them."""
    callers = settings.access.callers
    written = [(f"{_PATH}.ranges[{index}]", cidr) for index, cidr in enumerate(callers.ranges)]
    balancers = callers.google_load_balancers
    if balancers and balancers.proxy_only_range:
        written.append((f"{_PATH}.googleLoadBalancers.proxyOnlyRange", balancers.proxy_only_range))
    if settings.network.existing or settings.cluster.existing:
        for path, cidr in written:
            findings.warn(
                path, f"see that {cidr} holds no pods of the network that is joined, whose ranges nobody says"
            )
        return
    for path, cidr in written:
        _check_range(path, cidr, ranges, findings)


def _check_range(path: str, cidr: IPv4Network, ranges: AddressRanges, findings: Findings) -> None:
    for what, own in (("pods", ranges.pods), ("services", ranges.services), ("nodes", ranges.nodes)):
        if cidr.overlaps(own):
            findings.refuse(
                path,
                f"{cidr} holds addresses of the cluster's {what} ({own})",
                "Name callers in the cluster by their namespace, and write a range outside of it",
            )
            return
