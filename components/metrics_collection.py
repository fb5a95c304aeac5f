"""Has managed Prometheus ask every model server of a namespace for its metrics."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests.metrics import pod_monitoring
from components.serving_namespace import ServingNamespace


@dataclass(frozen=True, kw_only=True)
class MetricsCollectionArgs:
    namespace: ServingNamespace


class MetricsCollection(pulumi.ComponentResource):
    def __init__(self, name: str, args: MetricsCollectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:MetricsCollection", name, None, opts)
        KubernetesObject(
            f"{name}-pods",
            pod_monitoring(args.namespace.name),
            # The namespace is named by a string.
            pulumi.ResourceOptions(parent=self, depends_on=[args.namespace]),
        )
        self.register_outputs({})
