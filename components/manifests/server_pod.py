"""The pod of a vLLM server: alone, as the leader of a group, or as a worker of one."""

from enum import StrEnum
from typing import Any

from catalog.workloads import workloads
from components.manifests import labels, transport
from components.manifests.common import (
    ACCELERATOR_LABEL,
    NODE_POOL_LABEL,
    equal_resources,
    memory_backed,
    node_folder,
    pod_identity,
    pull_policy,
    restricted,
    scratch,
    tolerations,
)
from components.manifests.programs import source
from components.manifests.token import TOKEN_FOLDER, TOKEN_KEY, TokenSource
from components.manifests.types import PodTemplate
from planning.plan import ModelServerPlan, PodResourcesPlan
from planning.serving.arguments import RAY_PORT

_WEIGHTS = "/var/cache/huggingface"
_NODE_CACHE = "/var/cache/node"
_KERNELS = "/var/cache/vllm"
_TEMPORARY = "/tmp"
_TOPOLOGY = ("cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock")


class Role(StrEnum):
    SERVER = "server"
    LEADER = "leader"
    WORKER = "worker"


def pod_template(plan: ModelServerPlan, role: Role, token: TokenSource) -> PodTemplate:
    """The pod template, without the marks of its revision and of the token's."""
    shared = {labels.NODE_USE: "shared"} if plan.scheduling.shares_node else {}
    return {
        "metadata": {
            "labels": {**labels.pods_of(plan), labels.COMPONENT: role.value, **shared},
            "annotations": {
                "inference-platform/model": plan.model,
                **(transport.annotations(plan.transport) if plan.transport else {}),
            },
        },
        "spec": _pod(plan, role, token),
    }


def _pod(plan: ModelServerPlan, role: Role, token: TokenSource) -> dict[str, Any]:
    over_fabric = plan.transport
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        # A Service's name becomes environment variables of every pod, and one called vllm would set VLLM_PORT.
        "enableServiceLinks": False,
        "priorityClassName": plan.priority_class,
        "terminationGracePeriodSeconds": plan.lifecycle.grace_period,
        "nodeSelector": {ACCELERATOR_LABEL: plan.gpu_type, NODE_POOL_LABEL: plan.node_pool},
        "tolerations": tolerations(plan.taints),
        "affinity": _affinity(plan),
        "securityContext": pod_identity(workloads().server.user),
        # RDMA devices go to the first container alone; a daemon of the transport is a sidecar, and comes before.
        "containers": [_container(plan, role)],
        "volumes": _volumes(plan, token),
    }
    account = plan.weights.bucket.service_account if plan.weights.bucket else token.service_account
    if account:
        pod["serviceAccountName"] = account
    before = _fetch(plan) + (transport.sidecar(over_fabric) if over_fabric else [])
    if before:
        pod["initContainers"] = before
    if over_fabric and over_fabric.claims:
        pod["resourceClaims"] = transport.claims(over_fabric)
    return {key: value for key, value in pod.items() if value != {}}


def _volumes(plan: ModelServerPlan, token: TokenSource) -> list[dict[str, Any]]:
    resources = plan.resources
    own = [
        memory_backed("shared-memory", resources.shared_memory_gib),
        *_weights_volume(plan),
        scratch("kernels", resources.kernels_gib),
        scratch("temporary", resources.temporary_gib),
        {"name": "hugging-face-token", **token.volume},
    ]
    return own + (transport.volumes(plan.transport) if plan.transport else [])


def _weights_volume(plan: ModelServerPlan) -> list[dict[str, Any]]:
    """Where the weights or what belongs to them is; from a bucket they come without touching a disk."""
    if plan.weights.node_cache:
        return [node_folder("weights", plan.weights.node_cache.host_path)]
    return [] if plan.weights.bucket else [scratch("weights", plan.resources.weights_gib)]


def _container(plan: ModelServerPlan, role: Role) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "vllm",
        "image": plan.image,
        "imagePullPolicy": pull_policy(plan.image),
        **_command(plan, role),
        "env": _environment(plan),
        "resources": _resources(plan),
        "securityContext": restricted(),
        "volumeMounts": _mounts(plan),
    }
    if role is Role.WORKER:
        # A headless worker listens nowhere, so it can have no useful probe. It ends last.
        return {**container, "lifecycle": {"preStop": {"sleep": {"seconds": plan.lifecycle.worker_pre_stop}}}}
    return {
        **container,
        "ports": [{"name": "http", "containerPort": plan.port, "protocol": "TCP"}],
        **_probes(plan),
        "lifecycle": {"preStop": {"sleep": {"seconds": plan.lifecycle.pre_stop}}},
    }


def _command(plan: ModelServerPlan, role: Role) -> dict[str, Any]:
    """The server's command. There is no shell between the kubelet and vLLM, so that SIGTERM reaches vLLM and it
    finishes its requests."""
    if not plan.ray:
        return {
            "command": ["vllm", "serve"],
            "args": list(plan.worker_arguments if role is Role.WORKER else plan.arguments),
        }
    program = ["python3", "-c", source("ray_node")]
    if role is Role.LEADER:
        return {"command": [*program, role.value, str(RAY_PORT), "vllm", "serve"], "args": list(plan.arguments)}
    host = "$(LWS_LEADER_ADDRESS)"
    return {
        "command": [*program, role.value, host, str(RAY_PORT), "ray", "start"],
        "args": list(plan.worker_arguments),
    }


def _fetch(plan: ModelServerPlan) -> list[dict[str, Any]]:
    """The container that fetches what the node does not have yet, or looks whether the bucket is full, with the
    server's own image. It ends before vLLM starts, which then asks the hub for nothing."""
    bucket, use = plan.weights.bucket, plan.weights.node_cache
    if bucket:
        kernels = [f"--kernels={_NODE_CACHE}/kernels/{use.kernels}"] if use else []
        return [_before(plan, "check_bucket", [bucket.bucket, bucket.folder, *kernels], {}, _weights_mount(plan))]
    if use is None:
        return []
    words = [_NODE_CACHE, *use.repositories, f"--kernels={use.kernels}", f"--room={use.room_gib}"]
    token = {"name": "hugging-face-token", "mountPath": TOKEN_FOLDER, "readOnly": True}
    variables = {"HF_TOKEN_PATH": f"{TOKEN_FOLDER}/{TOKEN_KEY}"}
    return [_before(plan, "fetch_weights", words, variables, [*_weights_mount(plan), token])]


def _before(
    plan: ModelServerPlan, program: str, words: list[str], variables: dict[str, str], mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "weights",
        "image": plan.image,
        "imagePullPolicy": pull_policy(plan.image),
        "command": ["python3", "-c", source(program)],
        "args": words,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": equal_resources(workloads().fetch.amounts),
        "securityContext": restricted(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    return {key: value for key, value in container.items() if value != []}


def _environment(plan: ModelServerPlan) -> list[dict[str, Any]]:
    """The environment. vLLM and its compilers write only to volumes, since the root file system is read-only."""
    use, bucket = plan.weights.node_cache, plan.weights.bucket
    kernels = f"{_NODE_CACHE}/kernels/{use.kernels}" if use else _KERNELS
    values = {
        "HOME": _KERNELS,
        "XDG_CACHE_HOME": f"{_KERNELS}/cache",
        "XDG_CONFIG_HOME": f"{_KERNELS}/config",
        **({"HF_HUB_CACHE": f"{_NODE_CACHE}/hub"} if use and not bucket else {}),
        **({"HF_HUB_OFFLINE": "1"} if use or bucket else {}),
        "HF_HOME": _KERNELS if use or bucket else _WEIGHTS,
        "HF_TOKEN_PATH": f"{TOKEN_FOLDER}/{TOKEN_KEY}",
        "VLLM_CACHE_ROOT": f"{kernels}/vllm",
        "TRITON_CACHE_DIR": f"{kernels}/triton",
        "TORCHINDUCTOR_CACHE_DIR": f"{kernels}/inductor",
        "FLASHINFER_WORKSPACE_BASE": f"{kernels}/flashinfer",
        "CUDA_CACHE_PATH": f"{kernels}/cuda",
        **plan.environment,
    }
    environment: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    if plan.is_group:
        # A pod may have ten addresses; this is the one by which the others reach it.
        environment.append({"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    return environment


def _resources(plan: ModelServerPlan) -> dict[str, Any]:
    amounts = {**_amounts(plan.resources), **(transport.resources(plan.transport) if plan.transport else {})}
    resources = equal_resources(amounts)
    if plan.transport and plan.transport.claims:
        resources["claims"] = [{"name": claim.name} for claim in plan.transport.claims]
    return resources


def _amounts(plan: PodResourcesPlan) -> dict[str, str]:
    return {
        "cpu": str(plan.cpus),
        "memory": f"{plan.memory_gib}Gi",
        "ephemeral-storage": f"{plan.ephemeral_storage_gib}Gi",
        "nvidia.com/gpu": str(plan.gpus),
    }


def _mounts(plan: ModelServerPlan) -> list[dict[str, Any]]:
    over_fabric = transport.server_mounts(plan.transport) if plan.transport else []
    taken = {mount["mountPath"] for mount in over_fabric}
    own = [
        {"name": "shared-memory", "mountPath": "/dev/shm"},
        *_weights_mount(plan),
        {"name": "kernels", "mountPath": _KERNELS},
        {"name": "temporary", "mountPath": _TEMPORARY},
        {"name": "hugging-face-token", "mountPath": TOKEN_FOLDER, "readOnly": True},
    ]
    return [mount for mount in own if mount["mountPath"] not in taken] + over_fabric


def _weights_mount(plan: ModelServerPlan) -> list[dict[str, Any]]:
    path = _NODE_CACHE if plan.weights.node_cache else _WEIGHTS
    return [{"name": each["name"], "mountPath": path} for each in _weights_volume(plan)]


def _probes(plan: ModelServerPlan) -> dict[str, Any]:
    """The port answers once the model is loaded. Readiness and liveness differ, so that load never kills a server."""
    numbers = workloads().server
    models = {"httpGet": {"path": "/v1/models", "port": "http"}}
    return {
        "startupProbe": {
            **models,
            "timeoutSeconds": numbers.startup_timeout_seconds,
            "periodSeconds": plan.lifecycle.startup_period,
            "failureThreshold": plan.lifecycle.startup_failures,
        },
        "readinessProbe": {**models, **numbers.readiness.fields},
        "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, **numbers.liveness.fields},
    }


def _affinity(plan: ModelServerPlan) -> dict[str, Any]:
    if plan.is_group:
        return {"podAffinity": {_PREFERRED: [_near(plan, *each) for each in zip((50, 100), _TOPOLOGY, strict=True)]}}
    affinity: dict[str, Any] = {}
    if plan.scheduling.shares_node:
        affinity["podAffinity"] = {_PREFERRED: [_beside_others(plan)]}
    if plan.scheduling.spread:
        apart = _term(100, {"matchLabels": labels.pods_of(plan)}, "kubernetes.io/hostname")
        affinity["podAntiAffinity"] = {_PREFERRED: [apart]}
    return affinity


_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _near(plan: ModelServerPlan, weight: int, topology: str) -> dict[str, Any]:
    """An affinity that places the pods of one group close together; the controller tells groups apart by a label."""
    term = _term(weight, {"matchLabels": {labels.GROUP_NAME: plan.group_name}}, topology)
    term["podAffinityTerm"]["matchLabelKeys"] = [labels.GROUP_INDEX]
    return term


def _beside_others(plan: ModelServerPlan) -> dict[str, Any]:
    """An affinity for nodes that other servers use already, so that nodes stay empty for those that need a whole
    one."""
    others = {
        "matchLabels": {labels.NODE_USE: "shared"},
        "matchExpressions": [{"key": labels.INSTANCE, "operator": "NotIn", "values": [plan.name]}],
    }
    return _term(
        50, others if plan.scheduling.spread else {"matchLabels": others["matchLabels"]}, "kubernetes.io/hostname"
    )


def _term(weight: int, selector: dict[str, Any], topology: str) -> dict[str, Any]:
    return {"weight": weight, "podAffinityTerm": {"labelSelector": selector, "topologyKey": topology}}
