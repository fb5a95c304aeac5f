"""The Job that measures the fabric between two nodes of a pool, with the image of the transport's own tests."""

import json
from typing import Any

from catalog.workloads import workloads
from components.manifests import labels, nccl_verdict, transport
from components.manifests.common import (
    ACCELERATOR_LABEL,
    NODE_POOL_LABEL,
    equal_resources,
    memory_backed,
    pull_policy,
    tolerations,
)
from components.manifests.types import Manifest
from planning.plan import PreflightPlan

_FIRST = "0"
TESTED_WITH = "inference-platform/tested-with"
FLOOR = "inference-platform/floor-gbytes-per-second"


def preflight_labels(plan: PreflightPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "nccl-preflight", labels.INSTANCE: plan.name, labels.JOB: "preflight"}


def hosts(plan: PreflightPlan) -> Manifest:
    """The headless Service by which the first pod finds the other; it gives pods names before they are ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": plan.name,
            "namespace": plan.namespace,
            "labels": preflight_labels(plan),
            # The Service has no endpoints until the Job runs.
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": preflight_labels(plan),
            "ports": [{"name": "ssh", "port": 22, "targetPort": 22, "protocol": "TCP"}],
        },
    }


def preflight(plan: PreflightPlan, pool_identity: str) -> Manifest:
    """The Job. `pool_identity` says which pool is tested: for another pool there is another Job, and so another
    test."""
    job_labels = preflight_labels(plan)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{plan.name}-{pool_identity}",
            "namespace": plan.namespace,
            "labels": job_labels,
            "annotations": {
                "pulumi.com/timeoutSeconds": str(plan.deadline_seconds),
                "pulumi.com/replaceUnready": "true",
                TESTED_WITH: plan.tested_with,
                FLOOR: f"{plan.floor_gbytes_per_second:g}",
            },
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": plan.nodes,
            "parallelism": plan.nodes,
            "backoffLimit": 0,
            "podFailurePolicy": {
                "rules": [
                    # A node that is lost or drained says nothing about the fabric.
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "activeDeadlineSeconds": plan.deadline_seconds,
            # The first node measures; the other only answers, and is ended with the first.
            "successPolicy": {"rules": [{"succeededIndexes": _FIRST}]},
            "template": {
                "metadata": {"labels": job_labels, "annotations": transport.annotations(plan.transport)},
                "spec": _pod(plan, f"{plan.name}-{pool_identity}"),
            },
        },
    }


def _pod(plan: PreflightPlan, job: str) -> dict[str, Any]:
    """The pod template. It runs as root, since Google's test images start an SSH server and need it for their scripts;
    it uses nothing else of the node."""
    apart = {"labelSelector": {"matchLabels": preflight_labels(plan)}, "topologyKey": "kubernetes.io/hostname"}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "subdomain": plan.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {ACCELERATOR_LABEL: plan.gpu_type, NODE_POOL_LABEL: plan.node_pool},
        "tolerations": tolerations(plan.taints),
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}},
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(plan, job)],
        "volumes": [
            memory_backed("shared-memory", workloads().preflight.shared_memory_gib),
            *transport.volumes(plan.transport),
        ],
    }
    sidecars = transport.sidecar(plan.transport)
    if sidecars:
        pod["initContainers"] = sidecars
    if plan.transport.claims:
        pod["resourceClaims"] = transport.claims(plan.transport)
    return pod


def _container(plan: PreflightPlan, job: str) -> dict[str, Any]:
    variables = {
        **plan.environment,
        "LD_LIBRARY_PATH": "/usr/local/nvidia/lib64",
        "HOSTS": " ".join(f"{job}-{index}.{plan.name}" for index in range(plan.nodes)),
        "GPUS": str(plan.gpus_per_node),
        **nccl_verdict.variables(plan),
    }
    resources = equal_resources(
        {
            **workloads().preflight.amounts,
            "nvidia.com/gpu": str(plan.gpus_per_node),
            **transport.resources(plan.transport),
        }
    )
    if plan.transport.claims:
        resources["claims"] = [{"name": claim.name} for claim in plan.transport.claims]
    return {
        "name": "nccl-test",
        "image": plan.image,
        "imagePullPolicy": pull_policy(plan.image),
        "command": ["/bin/bash", "-ec"],
        "args": ["\n".join(_script(plan))],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": resources,
        "securityContext": {"privileged": False, "allowPrivilegeEscalation": False},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "shared-memory", "mountPath": "/dev/shm"},
            *transport.server_mounts(plan.transport),
        ],
    }


def _script(plan: PreflightPlan) -> list[str]:
    """The script of the pod. Google's images have a shell and scripts for it, and no other way to start the test."""
    return [
        "set -o pipefail",
        *plan.prepare,
        f'[ "$JOB_COMPLETION_INDEX" = {json.dumps(_FIRST)} ] || exec sleep infinity',
        *plan.meet,
        *nccl_verdict.lines(plan),
    ]
