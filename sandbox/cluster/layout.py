"""The names of the files in a control plane's folder, and functions that read and write the small ones.

All names are relative: the processes run inside the folder, so that no socket's path is too long for the kernel.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.tools import ClusterTools

CA_FILE = Path("pki/ca.crt")
SERVING_CERTIFICATE = Path("pki/apiserver.crt")
SERVING_KEY = Path("pki/apiserver.key")
OUTSIDE_CERTIFICATE = Path("pki/outside.crt")
OUTSIDE_KEY = Path("pki/outside.key")
SERVICE_ACCOUNT_PUBLIC_KEY = Path("pki/service-account.pub")
SERVICE_ACCOUNT_KEY = Path("pki/service-account.key")
TOKEN_FILE = Path("pki/admin.token")
TOKENS_CSV = Path("pki/tokens.csv")

KUBECONFIG = Path("admin.kubeconfig")
ADMISSION = Path("admission.json")
EGRESS_SELECTOR = Path("egress-selector.json")
EGRESS_SOCKET = Path("egress.sock")
STAGES = Path("stages.yaml")
TOOLS = Path("tools.json")
PORTS = Path("ports.json")
FEATURES = Path("features.json")
WORKLOADS = Path("workloads.json")
PROCESSES = Path("processes.json")
FAILURE = Path("failure.json")
LOCK = Path("lock")
ETCD_DATA = Path("etcd")
KUBECTL_CACHE = Path("kubectl-cache")
LEADER_WORKER_SET = Path("leader-worker-set")
MODEL_SOCKETS = Path("models")
MODELS_CONTROL_SOCKET = MODEL_SOCKETS / "control.sock"
NODE_SOCKET = MODEL_SOCKETS / "nodes.sock"
# What pods reach outside of the cluster, as far as something on this machine stands for it.
METADATA_SOCKET = Path("metadata.sock")
STORAGE_SOCKET = Path("storage.sock")
HUB_SOCKET = Path("hub.sock")
SUPERVISOR_SOCKETS = (EGRESS_SOCKET, METADATA_SOCKET, STORAGE_SOCKET, HUB_SOCKET)
# These files are beside the control plane's folder, so that they can be written before the folder exists.
BEHAVIOURS = Path("../behaviours.json")
FABRIC_BEHAVIOUR = Path("../fabric-behaviour")
HUB_BEHAVIOUR = Path("../hub-behaviour")
NODE_BEHAVIOUR = Path("../node-behaviour")
# The stand-in cloud's state, where the control plane belongs to one.
CLOUD = Path("../../cloud.json")
# The contents of secrets that pods have mounted; a real node keeps them in memory.
MOUNTS = Path("mounts")
# The folders of nodes, and those that end with their pods.
NODES = Path("nodes")
VOLUMES = Path("volumes")
# The root folders of the pods of a test between nodes, and the names of those that can be reached.
TEST_PODS = Path("test-pods")
TEST_HOSTS = Path("test-hosts")
LOGS = Path("logs")
POD_LOGS = LOGS / "pods"
HUB_REQUESTS = LOGS / "hub-requests.log"
SUPERVISOR_LOG = Path("supervisor.log")

SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"
API_SERVER_ADDRESS = "10.96.0.1"
NODE_ADDRESS = "10.128.0.2"
KUBELET_PORT = 10250


@dataclass(frozen=True)
class Ports:
    """The ports of one control plane, all on 127.0.0.1."""

    kube_apiserver: int
    etcd_client: int
    etcd_peer: int
    leader_worker_set_webhook: int


@dataclass(frozen=True)
class ClusterFeatures:
    """The features that a cluster is created with; they decide which kinds a fresh one has installed."""

    multi_networking: bool
    gateway_api: bool
    secret_manager: bool = False
    """Whether GKE's add-on that mounts secrets of Secret Manager is on."""
    managed_dranet: bool = False
    managed_prometheus: bool = False


def log_file(process: str) -> Path:
    """The path of the log of one of the processes."""
    return LOGS / f"{process}.log"


def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Replace the file in one step, so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    scratch.replace(path)


def write_json(path: Path, value: Any, mode: int = 0o644) -> None:
    write(path, json.dumps(value, indent=1, sort_keys=True) + "\n", mode)


def read_json(path: Path) -> Any:
    """The file's value; None if there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_tools(directory: Path, tools: ClusterTools) -> None:
    write_json(directory / TOOLS, {name: str(path) for name, path in asdict(tools).items()})


def read_tools(directory: Path) -> ClusterTools | None:
    """The tools that the control plane was last started with; None if it was never started."""
    stored = read_json(directory / TOOLS)
    return None if stored is None else ClusterTools(**{name: Path(path) for name, path in stored.items()})


def read_ports(directory: Path) -> Ports | None:
    stored = read_json(directory / PORTS)
    return None if stored is None else Ports(**stored)
