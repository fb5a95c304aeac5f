"""The command line and the configuration files of each process. Paths are relative, since the processes run in the
folder."""

import sys
from collections.abc import Callable
from typing import Any

from sandbox.cluster import layout
from sandbox.cluster.layout import Ports
from sandbox.tools import ClusterTools

NODE_LEASE_SECONDS = 40
NODE_GRACE_SECONDS = 600


def kubeconfig(port: int, token: dict[str, str]) -> dict[str, Any]:
    """A kubeconfig for a file in the control plane's folder; `token` names it or holds it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
        "clusters": [
            {
                "name": "sandbox",
                "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(layout.CA_FILE)},
            }
        ],
        "users": [{"name": "sandbox", "user": token}],
    }


def egress_selector() -> dict[str, Any]:
    """As on GKE, the API server reaches pods and Services through a proxy of the cluster's side."""
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect",
                    "transport": {"uds": {"udsName": str(layout.EGRESS_SOCKET)}},
                },
            }
        ],
    }


def admission() -> dict[str, Any]:
    """The configuration of admission: as on GKE, pods of the system's highest priorities need a quota in their
    namespace."""
    critical = {
        "scopeName": "PriorityClass",
        "operator": "In",
        "values": ["system-node-critical", "system-cluster-critical"],
    }
    quota = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "ResourceQuotaConfiguration",
        "limitedResources": [{"resource": "pods", "matchScopes": [critical]}],
    }
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "ResourceQuota", "configuration": quota}],
    }


def system_quota() -> dict[str, Any]:
    """The quota that every GKE cluster has for such pods of its own, in kube-system."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gcp-critical-pods", "namespace": "kube-system"},
        "spec": {
            "hard": {"pods": "1G"},
            "scopeSelector": {
                "matchExpressions": [
                    {
                        "operator": "In",
                        "scopeName": "PriorityClass",
                        "values": ["system-node-critical", "system-cluster-critical"],
                    }
                ]
            },
        },
    }


def etcd(tools: ClusterTools, ports: Ports) -> list[str]:
    client = f"http://127.0.0.1:{ports.etcd_client}"
    peer = f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        str(tools.etcd),
        "--name=sandbox",
        f"--data-dir={layout.ETCD_DATA}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(tools: ClusterTools, ports: Ports) -> list[str]:
    return [
        str(tools.kube_apiserver),
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={ports.kube_apiserver}",
        f"--etcd-servers=http://127.0.0.1:{ports.etcd_client}",
        f"--tls-cert-file={layout.SERVING_CERTIFICATE}",
        f"--tls-private-key-file={layout.SERVING_KEY}",
        f"--service-cluster-ip-range={layout.SERVICE_CIDR}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.SERVICE_ACCOUNT_PUBLIC_KEY}",
        f"--service-account-signing-key-file={layout.SERVICE_ACCOUNT_KEY}",
        f"--token-auth-file={layout.TOKENS_CSV}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        # GKE runs it too: a pod that asks for GPUs tolerates their taint.
        "--enable-admission-plugins=ExtendedResourceToleration",
        f"--admission-control-config-file={layout.ADMISSION}",
        "--allow-privileged",
        # Simulated pods cannot reach the API server by the `kubernetes` Service, so it needs no endpoint.
        "--endpoint-reconciler-type=none",
        f"--egress-selector-config-file={layout.EGRESS_SELECTOR}",
        "--profiling=false",
    ]


def kube_controller_manager(tools: ClusterTools, ports: Ports) -> list[str]:
    return [
        str(tools.kube_controller_manager),
        f"--kubeconfig={layout.KUBECONFIG}",
        f"--service-account-private-key-file={layout.SERVICE_ACCOUNT_KEY}",
        f"--root-ca-file={layout.CA_FILE}",
        "--use-service-account-credentials",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        # On a busy machine kwok may be late. The controllers would then mark pods as lost, and nothing would correct
        # that.
        f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def kube_scheduler(tools: ClusterTools, ports: Ports) -> list[str]:
    return [
        str(tools.kube_scheduler),
        f"--kubeconfig={layout.KUBECONFIG}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def model_servers(tools: ClusterTools, ports: Ports) -> list[str]:
    return [sys.executable, "-m", "sandbox.cluster.model_process"]


def kwok(tools: ClusterTools, ports: Ports) -> list[str]:
    return [
        str(tools.kwok),
        f"--kubeconfig={layout.KUBECONFIG}",
        f"--config={layout.STAGES}",
        "--manage-all-nodes=true",
        # Without leases a node would count as dead before kwok's next heartbeat, which comes minutes later.
        f"--node-lease-duration-seconds={NODE_LEASE_SECONDS}",
        f"--cidr={layout.POD_CIDR}",
        # The API server asks this address for logs, at the kubelets' usual port; the egress proxy answers there.
        f"--node-ip={layout.NODE_ADDRESS}",
    ]


Command = Callable[[ClusterTools, Ports], list[str]]
# These processes are clients of the API server, and are started once it answers.
CONTROLLERS: dict[str, Command] = {
    "kube-controller-manager": kube_controller_manager,
    "kube-scheduler": kube_scheduler,
    "kwok": kwok,
    "model-servers": model_servers,
}
