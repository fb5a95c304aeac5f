"""The Job that copies a checkpoint from the hub to the bucket, before any server reads it."""

from typing import Any

from catalog.workloads import workloads
from components.manifests.common import (
    NODE_POOL_LABEL,
    equal_resources,
    pod_identity,
    pull_policy,
    restricted,
    tolerations,
)
from components.manifests.labels import JOB, WEIGHTS_FILL, revision_of
from components.manifests.programs import source
from components.manifests.token import TOKEN_FOLDER, TOKEN_KEY, TokenSource
from components.manifests.types import Manifest
from planning.plan import BucketFillPlan


def weights_fill(plan: BucketFillPlan, token: TokenSource) -> Manifest:
    """The Job. Another pod template is another Job, which finds what is complete and moves no byte of it."""
    labels = {**WEIGHTS_FILL, JOB: "fill"}
    pod = _pod(plan, token)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{plan.name}-{revision_of(pod)}",
            "namespace": plan.namespace,
            "labels": labels,
            "annotations": {
                "pulumi.com/timeoutSeconds": str(plan.deadline),
                # The next update tries a failed Job again, even if nothing else changed.
                "pulumi.com/replaceUnready": "true",
            },
        },
        "spec": {
            # Pulumi sees that a Job failed only by BackoffLimitExceeded or DeadlineExceeded.
            "backoffLimit": 0,
            "activeDeadlineSeconds": plan.deadline,
            "podFailurePolicy": {
                # A node that is lost says nothing about the files; the next pod goes on after the last whole one.
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _pod(plan: BucketFillPlan, token: TokenSource) -> dict[str, Any]:
    """The pod's spec. It writes to no disk."""
    use = plan.use
    return {
        "restartPolicy": "Never",
        "serviceAccountName": plan.service_account,
        # Its identity at Google comes from the metadata server of its node.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {NODE_POOL_LABEL: plan.node_pool},
        "tolerations": tolerations(plan.taints),
        "securityContext": pod_identity(workloads().server.user),
        "volumes": [{"name": "hugging-face-token", **token.volume}],
        "containers": [
            {
                "name": "fill",
                "image": plan.image,
                "imagePullPolicy": pull_policy(plan.image),
                "command": ["python3", "-c", source("fill_bucket")],
                "args": [use.bucket, use.folder, use.repository, use.revision],
                "env": [{"name": "HF_TOKEN_PATH", "value": f"{TOKEN_FOLDER}/{TOKEN_KEY}"}],
                "resources": equal_resources(workloads().fetch.amounts),
                "securityContext": restricted(),
                # What the program said last becomes the reason for which the Job failed, and so the update's error.
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "hugging-face-token", "mountPath": TOKEN_FOLDER, "readOnly": True}],
            }
        ],
    }
