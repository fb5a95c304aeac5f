"""Tells managed Prometheus which pods to ask for metrics, and where."""

from catalog.workloads import workloads
from components.manifests import labels
from components.manifests.types import Manifest


def pod_monitoring(namespace: str) -> Manifest:
    """A PodMonitoring of all servers in a namespace; a worker of a group has no port of that name and is not asked."""
    return {
        "apiVersion": "monitoring.googleapis.com/v1",
        "kind": "PodMonitoring",
        "metadata": {"name": "model-servers", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels.SERVER},
            "endpoints": [
                {"port": "http", "path": "/metrics", "interval": f"{workloads().server.metrics_interval_seconds}s"}
            ],
        },
    }
