"""The command line and the configuration files of each process. Paths are relative, since the processes run in the
folder."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox.cluster import layout
from sandbox.cluster.layout import Ports
from sandbox.cluster.workloads import Workloads
from sandbox.tools import ClusterTools

# A pod with these labels stands for a process that really runs: it becomes Ready when that process serves, which the
# supervisor says by the annotation, and not when its node takes it. The labels are the LeaderWorkerSet chart's own.
PROCESS_LABELS = {"app.kubernetes.io/name": "lws", "control-plane": "controller-manager"}
SERVING_ANNOTATION = "sandbox/serving"

NODE_LEASE_SECONDS = 40
NODE_GRACE_SECONDS = 600

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


def stages(folder: Path, workloads: Workloads) -> str:
    """The stages by which kwok simulates kubelets: its own ones, with exceptions for pods that stand for a real
    process."""
    documents: list[dict[str, Any]] = []
    for name in STAGE_FILES:
        stage = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        change = _STAGE_CHANGES.get(stage["metadata"]["name"])
        documents += change(stage, workloads) if change else [stage]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _pod_ready(stage: dict[str, Any], workloads: Workloads) -> list[dict[str, Any]]:
    (outer, name), (label, value) = PROCESS_LABELS.items()
    chart = f'select(.metadata.labels["{outer}"] == "{name}")'
    simulated = {"key": f'{chart} | .metadata.labels["{label}"]', "operator": "NotIn", "values": [value]}
    serving = {"key": f'.metadata.annotations["{SERVING_ANNOTATION}"]', "operator": "In", "values": ["true"]}
    process = _with_requirements(stage, "pod-ready-process", serving)
    found = _model_server(workloads)
    if found is None:
        return [_with_requirements(stage, "pod-ready", simulated), process]
    other, model_server = {"key": found, "operator": "DoesNotExist"}, {"key": found, "operator": "Exists"}
    return [
        _with_requirements(stage, "pod-ready", simulated, other),
        process,
        _started_only(_with_requirements(stage, "pod-started-model-server", model_server)),
    ]


def _model_server(workloads: Workloads) -> str | None:
    """The jq expression that finds a container for which the sandbox's model server answers; such a pod becomes Ready
    by its own probes. None if the program has no such containers."""
    if workloads.model_servers is None:
        return None
    words = json.dumps(workloads.model_servers.command)
    return f".spec.containers[] | select(((.command // []) + (.args // [])) | index({words}) != null) | .name"


def _started_only(stage: dict[str, Any]) -> dict[str, Any]:
    """The same stage, but the pod is only Running; whether it is Ready, its probes say later."""
    template: str = stage["spec"]["next"]["statusTemplate"]
    # kwok's template has the conditions before the first containerStatuses, and says `ready` once after it.
    conditions, heading, containers = template.partition("containerStatuses:\n")
    for condition in ("Ready", "ContainersReady"):
        conditions = conditions.replace(f'"True"\n  type: {condition}\n', f'"False"\n  type: {condition}\n')
    if conditions.count('"False"') != 2 or "ready: true" not in containers:
        raise ValueError("kwok's stage pod-ready is not as expected")
    template = conditions + heading + containers.replace("ready: true", "ready: false", 1)
    return {**stage, "spec": {**stage["spec"], "next": {"statusTemplate": template}}}


def _pod_complete(stage: dict[str, Any], workloads: Workloads) -> list[dict[str, Any]]:
    """kwok completes the pods of all Jobs, apart from Jobs that the sandbox really runs."""
    jobs = workloads.jobs
    if jobs is None:
        return [stage]
    other = {"key": f".metadata.labels[{json.dumps(jobs.label)}]", "operator": "NotIn", "values": list(jobs.kinds)}
    return [_with_requirements(stage, "pod-complete", other)]


def _pod_delete(stage: dict[str, Any], workloads: Workloads) -> list[dict[str, Any]]:
    """kwok removes deleted pods, apart from model servers: the sandbox shuts those down as their pods say."""
    found = _model_server(workloads)
    return [
        stage if found is None else _with_requirements(stage, "pod-delete", {"key": found, "operator": "DoesNotExist"})
    ]


_STAGE_CHANGES = {"pod-ready": _pod_ready, "pod-complete": _pod_complete, "pod-delete": _pod_delete}


def _with_requirements(stage: dict[str, Any], name: str, *requirements: dict[str, Any]) -> dict[str, Any]:
    spec = cast(dict[str, Any], stage["spec"])
    expressions = [*spec["selector"]["matchExpressions"], *requirements]
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
