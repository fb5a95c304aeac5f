"""Which pods managed Prometheus asks for metrics, and where."""

from components.manifests import labels
from components.manifests.types import Manifest


def pod_monitoring(namespace: str) -> Manifest:
    """Every server that requests can go to; a worker of a group has no port of that name and is passed over."""
    return {
        "apiVersion": "monitoring.googleapis.com/v1",
        "kind": "PodMonitoring",
        "metadata": {"name": "model-servers", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels.SERVER},
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "30s"}],
        },
    }
