"""Makes the one Kubernetes provider of a stack from the cluster that it leads to."""

import json

import pulumi
import pulumi_kubernetes as kubernetes

from components.faces import AnyCluster


def kubernetes_provider(name: str, cluster: AnyCluster) -> kubernetes.Provider:
    """The provider. `gke-gcloud-auth-plugin` obtains the credentials at each use, so the kubeconfig holds none.

    They are the application-default ones, with which the Google provider works too. Without the flag the plugin asks
    for gcloud's own account, which is another login, and does not exist in a pipeline (kubernetes/cloud-provider-gcp,
    cmd/gke-gcloud-auth-plugin/cred.go, read 2026-11-28).
    """
    return kubernetes.Provider(
        name,
        kubeconfig=cluster.endpoint.apply(lambda endpoint: _kubeconfig(cluster.cluster_name, endpoint)),
        cluster_identifier=cluster.identifier,
        # Nothing can be scheduled before the system pool exists, and every object waits for its provider.
        opts=pulumi.ResourceOptions(depends_on=[cluster.system_pool]),
    )


def _kubeconfig(name: str, endpoint: str) -> str:
    """The kubeconfig. It names no authority, since the DNS endpoint has a public certificate."""
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
                            "args": ["--use_application_default_credentials"],
                            "installHint": "gcloud components install gke-gcloud-auth-plugin",
                            "provideClusterInfo": True,
                        }
                    },
                }
            ],
        }
    )
