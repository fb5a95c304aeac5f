"""The Job that proves a model server generates: one token from each new revision."""

from typing import Any

from catalog.workloads import workloads
from components.manifests.common import (
    ACCELERATOR_LABEL,
    NODE_POOL_LABEL,
    equal_resources,
    pod_identity,
    pull_policy,
    restricted,
    tolerations,
)
from components.manifests.labels import INSTANCE, JOB, SMOKE_TEST
from components.manifests.model_server import answering_service
from components.manifests.programs import source
from components.manifests.token import REVISION as TOKEN_REVISION
from components.manifests.token import TokenSource
from components.manifests.types import Manifest
from planning.plan import ModelServerPlan


def smoke_test(plan: ModelServerPlan, revision: str, token: TokenSource) -> Manifest:
    """The Job. Its name contains the revision, so that each change of the server makes a new Job, and no other change
    does.

    Another token replaces the Job of the same name, since a Job's template cannot change.
    """
    patience = plan.lifecycle.progress_deadline
    numbers = workloads().smoke_test
    deadline = patience + numbers.token_seconds + numbers.margin_seconds
    job_labels = {**SMOKE_TEST, INSTANCE: plan.name, JOB: "smoke"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{plan.name}-smoke-{revision}",
            "namespace": plan.namespace,
            "labels": job_labels,
            "annotations": {
                "pulumi.com/timeoutSeconds": str(deadline),
                # The next update tries a failed Job again, even if nothing else changed.
                "pulumi.com/replaceUnready": "true",
            },
        },
        "spec": {
            # Pulumi sees that a Job failed only by BackoffLimitExceeded or DeadlineExceeded.
            "backoffLimit": 0,
            "activeDeadlineSeconds": deadline,
            "podFailurePolicy": {
                # A node that is lost says nothing about the model.
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {
                "metadata": {"labels": job_labels, "annotations": {TOKEN_REVISION: token.revision}},
                "spec": _pod(plan, patience),
            },
        },
    }


def _pod(plan: ModelServerPlan, patience: int) -> dict[str, Any]:
    """The pod template. It runs on a node of the model's pool, which has the image already, in the part that no server
    uses."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {ACCELERATOR_LABEL: plan.gpu_type, NODE_POOL_LABEL: plan.node_pool},
        "tolerations": tolerations(plan.taints),
        "securityContext": pod_identity(workloads().server.user),
        "containers": [
            {
                "name": "smoke-test",
                "image": plan.image,
                "imagePullPolicy": pull_policy(plan.image),
                "command": ["python3", "-c"],
                "args": [source("smoke_test")],
                "env": [
                    {"name": "SERVER", "value": _url(plan)},
                    {"name": "MODEL", "value": plan.served_name},
                    {"name": "PATIENCE_SECONDS", "value": str(patience)},
                    {"name": "TOKEN_SECONDS", "value": str(workloads().smoke_test.token_seconds)},
                ],
                "resources": equal_resources(workloads().smoke_test.amounts),
                "securityContext": restricted(),
                # The server's answer becomes the reason for which the Job failed, and so the error of the update.
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
    }


def _url(plan: ModelServerPlan) -> str:
    return f"http://{answering_service(plan)}.{plan.namespace}.svc:{plan.port}"
