"""Decides who may reach a model server, where its pods may go, and before whom they are scheduled."""

from catalog.cluster_services import Pods, cluster_services
from planning.plan import AccessPlan, CallerPlan, PriorityClassPlan

GATEWAY_NAMESPACE = "inference-gateway"
PRIORITY_CLASS = "model-serving"


def plan_access() -> AccessPlan:
    services = cluster_services()
    return AccessPlan(
        callers=(
            CallerPlan(namespace=GATEWAY_NAMESPACE, pod_labels={}, why="requests of clients"),
            _caller(services.monitoring, "metrics"),
            _caller(services.api_server_tunnel, "kubectl port-forward and the service proxy"),
        ),
        name_servers=tuple(_caller(pods, "names") for pods in services.name_servers),
        name_server_addresses=services.name_server_addresses,
        private_ranges=services.private_ranges,
    )


def plan_priority() -> PriorityClassPlan:
    """Over jobs and experiments: a model that waits for its GPUs takes them from whoever has a lower class."""
    return PriorityClassPlan(name=PRIORITY_CLASS, value=cluster_services().serving_priority)


def _caller(pods: Pods, why: str) -> CallerPlan:
    return CallerPlan(namespace=pods.namespace, pod_labels=pods.labels, why=why)
