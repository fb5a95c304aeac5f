"""A vLLM server of one pod: its Deployment and its Service."""

from typing import Any

from components.manifests.common import ACCELERATOR_LABEL, NODE_POOL_LABEL, restricted, tolerations
from components.manifests.types import Manifest
from planning.plan import ModelServerPlan, PodResourcesPlan

_USER = 10001
"""Any id will do, since HOME is a volume and USER is set; a high one belongs to no account of a node."""
_CACHE = "/var/cache/vllm"
_TOKEN_FOLDER = "/var/run/secrets/huggingface"
TOKEN_KEY = "token"


def deployment(plan: ModelServerPlan, token_secret: str) -> Manifest:
    """The servers. No shell stands between the kubelet and vLLM, so that SIGTERM reaches it and it drains."""
    selector = _selector(plan)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": plan.name,
            "namespace": plan.namespace,
            "labels": _labels(plan),
            "annotations": {"pulumi.com/timeoutSeconds": str(plan.lifecycle.rollout_deadline)},
        },
        "spec": {
            "replicas": plan.replicas,
            "progressDeadlineSeconds": plan.lifecycle.rollout_deadline,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": _labels(plan), "annotations": {"inference-platform/model": plan.model}},
                "spec": _pod(plan, token_secret),
            },
        },
    }


def service(plan: ModelServerPlan) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": plan.name, "namespace": plan.namespace, "labels": _labels(plan)},
        "spec": {
            "type": "ClusterIP",
            "selector": _selector(plan),
            "ports": [{"name": "http", "port": plan.port, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def _selector(plan: ModelServerPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "vllm", "app.kubernetes.io/instance": plan.name}


def _labels(plan: ModelServerPlan) -> dict[str, str]:
    return {**_selector(plan), "app.kubernetes.io/part-of": "inference-platform"}


def _pod(plan: ModelServerPlan, token_secret: str) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        # A Service's name becomes environment variables of every pod, and one called vllm would set VLLM_PORT.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": plan.lifecycle.grace_period,
        "nodeSelector": {ACCELERATOR_LABEL: plan.gpu_type, NODE_POOL_LABEL: plan.node_pool},
        "tolerations": tolerations(plan.taints),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(plan)],
        "volumes": [
            {
                "name": "shared-memory",
                "emptyDir": {"medium": "Memory", "sizeLimit": f"{plan.resources.shared_memory_gib}Gi"},
            },
            {"name": "cache", "emptyDir": {"sizeLimit": f"{plan.resources.ephemeral_storage_gib}Gi"}},
            {"name": "temporary", "emptyDir": {"sizeLimit": "4Gi"}},
            {
                "name": "hugging-face-token",
                "secret": {"secretName": token_secret, "defaultMode": 0o440},
            },
        ],
    }


def _container(plan: ModelServerPlan) -> dict[str, Any]:
    environment = {
        "HOME": _CACHE,
        "USER": "vllm",
        "HF_HOME": f"{_CACHE}/huggingface",
        "HF_TOKEN_PATH": f"{_TOKEN_FOLDER}/{TOKEN_KEY}",
        "VLLM_CACHE_ROOT": f"{_CACHE}/vllm",
        "TRITON_CACHE_DIR": f"{_CACHE}/triton",
        **plan.environment,
    }
    return {
        "name": "vllm",
        "image": plan.image,
        "command": ["vllm", "serve"],
        "args": list(plan.arguments),
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "http", "containerPort": plan.port, "protocol": "TCP"}],
        "resources": _resources(plan.resources),
        "securityContext": restricted(),
        "startupProbe": {
            "httpGet": {"path": "/v1/models", "port": "http"},
            "periodSeconds": plan.lifecycle.startup_period,
            "failureThreshold": plan.lifecycle.startup_failures,
            "timeoutSeconds": 5,
        },
        "readinessProbe": {
            "httpGet": {"path": "/v1/models", "port": "http"},
            "periodSeconds": 5,
            "failureThreshold": 3,
            "timeoutSeconds": 5,
        },
        # A busy engine answers late; killing it for that would only make it worse.
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": "http"},
            "periodSeconds": 10,
            "failureThreshold": 6,
            "timeoutSeconds": 10,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": plan.lifecycle.pre_stop}}},
        "volumeMounts": [
            {"name": "shared-memory", "mountPath": "/dev/shm"},
            {"name": "cache", "mountPath": _CACHE},
            {"name": "temporary", "mountPath": "/tmp"},
            {"name": "hugging-face-token", "mountPath": _TOKEN_FOLDER, "readOnly": True},
        ],
    }


def _resources(plan: PodResourcesPlan) -> dict[str, Any]:
    """Requests equal limits, so that the pod is Guaranteed and the last to be evicted."""
    amounts = {
        "cpu": str(plan.cpus),
        "memory": f"{plan.memory_gib}Gi",
        "ephemeral-storage": f"{plan.ephemeral_storage_gib}Gi",
        "nvidia.com/gpu": str(plan.gpus),
    }
    return {"requests": amounts, "limits": amounts}
