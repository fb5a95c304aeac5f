"""Each process's command line and configuration files; they run inside the folder, so all paths are relative."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox.cluster import layout
from sandbox.cluster.layout import Ports
from sandbox.tools import ClusterTools

# A pod of this namespace and label stands for a process that really runs: it becomes Ready when that process serves,
# which the supervisor says by the annotation, and not when its node takes it.
PROCESS_NAMESPACE = "lws-system"
PROCESS_LABEL = ("control-plane", "controller-manager")
SERVING_ANNOTATION = "sandbox/serving"

STAGE_FILES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


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


def stages(folder: Path) -> str:
    """What the simulated kubelets do: kwok's own stages, apart from pods that stand for a real process."""
    documents: list[dict[str, Any]] = []
    for name in STAGE_FILES:
        stage = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        documents += _pod_ready(stage) if stage["metadata"]["name"] == "pod-ready" else [stage]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _pod_ready(stage: dict[str, Any]) -> list[dict[str, Any]]:
    label, value = PROCESS_LABEL
    inside = f'select(.metadata.namespace == "{PROCESS_NAMESPACE}")'
    simulated = {"key": f'{inside} | .metadata.labels["{label}"]', "operator": "NotIn", "values": [value]}
    serving = {"key": f'.metadata.annotations["{SERVING_ANNOTATION}"]', "operator": "In", "values": ["true"]}
    return [
        _with_requirement(stage, "pod-ready", simulated),
        _with_requirement(stage, "pod-ready-process", serving),
    ]


def _with_requirement(stage: dict[str, Any], name: str, requirement: dict[str, Any]) -> dict[str, Any]:
    spec = cast(dict[str, Any], stage["spec"])
    expressions = [*spec["selector"]["matchExpressions"], requirement]
    return {
        **stage,
        "metadata": {"name": name},
        "spec": {**spec, "selector": {**spec["selector"], "matchExpressions": expressions}},
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
        "--allow-privileged",
        # The address of the `kubernetes` Service is nothing that a simulated pod could reach.
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


def kwok(tools: ClusterTools, ports: Ports) -> list[str]:
    return [
        str(tools.kwok),
        f"--kubeconfig={layout.KUBECONFIG}",
        f"--config={layout.STAGES}",
        "--manage-all-nodes=true",
        f"--cidr={layout.POD_CIDR}",
    ]


Command = Callable[[ClusterTools, Ports], list[str]]
# Clients of the API server, started once it answers.
CONTROLLERS: dict[str, Command] = {
    "kube-controller-manager": kube_controller_manager,
    "kube-scheduler": kube_scheduler,
    "kwok": kwok,
}
