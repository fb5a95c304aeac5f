"""The labels by which objects of a model server find each other, and the hash by which a revision of it is known."""

import hashlib
import json
from typing import Any

from planning.plan import ModelServerPlan

PART_OF = {"app.kubernetes.io/part-of": "inference-platform"}
SERVER = {"app.kubernetes.io/name": "vllm"}
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
JOB = "inference-platform/job"
REVISION = "inference-platform/revision"
NODE_USE = "inference-platform/node-use"
"""`shared` on pods that leave GPUs of their node to others."""

GROUP_NAME = "leaderworkerset.sigs.k8s.io/name"
GROUP_INDEX = "leaderworkerset.sigs.k8s.io/group-index"
WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
"""The LeaderWorkerSet's controller puts these on its pods; the leader's worker index is 0."""


def pods_of(plan: ModelServerPlan) -> dict[str, str]:
    """Every pod of the server, workers too."""
    return {**SERVER, INSTANCE: plan.name}


def answering_pods(plan: ModelServerPlan) -> dict[str, str]:
    """Those that requests can go to: of a group its leader alone."""
    return {GROUP_NAME: plan.group_name, WORKER_INDEX: "0"} if plan.is_group else pods_of(plan)


def labels_of(plan: ModelServerPlan) -> dict[str, str]:
    return {**pods_of(plan), **PART_OF}


def revision_of(*templates: Any) -> str:
    """The same for the same pod templates, another one for any other; what only the engine knows is no part of it."""
    text = json.dumps(templates, sort_keys=True, separators=(",", ":"), default=lambda _output: None)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
