"""The one Kubernetes provider of a stack, made from the cluster it leads to."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.given_cluster import AnyCluster


@dataclass(frozen=True, kw_only=True)
class KubernetesAccessArgs:
    cluster: AnyCluster


class KubernetesAccess(pulumi.ComponentResource):
    """Credentials come from `gke-gcloud-auth-plugin` at each use, so the kubeconfig holds none."""

    provider: kubernetes.Provider

    def __init__(self, name: str, args: KubernetesAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:KubernetesAccess", name, None, opts)
        cluster = args.cluster
        self.provider = kubernetes.Provider(
            f"{name}-provider",
            kubeconfig=cluster.endpoint.apply(lambda endpoint: _kubeconfig(cluster.cluster_name, endpoint)),
            cluster_identifier=cluster.identifier,
            # Nothing schedules before the system pool is there, and every object waits for its provider.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[cluster.system_pool]),
        )
        self.register_outputs({})


def _kubeconfig(name: str, endpoint: str) -> str:
    """The DNS endpoint has a public certificate, so the kubeconfig names no authority."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "gke-gcloud-auth-plugin",
                            "installHint": "gcloud components install gke-gcloud-auth-plugin",
                            "provideClusterInfo": True,
                        }
                    },
                }
            ],
        }
    )
