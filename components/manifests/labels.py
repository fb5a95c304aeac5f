"""The labels of all objects, the labels by which objects of a model server find each other, and the hash of a
revision."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from planning.plan import ModelServerPlan

ON_EVERYTHING = {"app.kubernetes.io/part-of": "inference-platform"}
"""The labels on every object and every pod of every stack, beside the stack file's own `labels`."""
SERVER = {"app.kubernetes.io/name": "vllm"}
SMOKE_TEST = {"app.kubernetes.io/name": "smoke-test"}
WEIGHTS_FILL = {"app.kubernetes.io/name": "weights-fill"}
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
JOB = "inference-platform/job"
REVISION = "inference-platform/revision"
NODE_USE = "inference-platform/node-use"
"""The label that is `shared` on pods that leave GPUs of their node to others."""

GROUP_NAME = "leaderworkerset.sigs.k8s.io/name"
GROUP_INDEX = "leaderworkerset.sigs.k8s.io/group-index"
WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
"""LeaderWorkerSet's controller sets this label on its pods; the leader's worker index is 0."""


def pods_of(plan: ModelServerPlan) -> dict[str, str]:
    """The labels of all pods of the server, workers too."""
    return {**SERVER, INSTANCE: plan.name}


def answering_pods(plan: ModelServerPlan) -> dict[str, str]:
    """The labels of the pods that requests can go to: in a group only the leader."""
    return {GROUP_NAME: plan.group_name, WORKER_INDEX: "0"} if plan.is_group else pods_of(plan)


def labelled(manifest: Mapping[str, Any], stack_labels: Mapping[str, str]) -> dict[str, Any]:
    """The same object with the labels that everything has, on itself and on all pods that it makes.

    An existing label stays, and no selector changes, so that it still finds the same pods.
    """
    common = {**ON_EVERYTHING, **stack_labels}
    changed = _with(manifest, common)
    for path in _pod_templates(changed):
        holder = changed
        for key in path[:-1]:
            holder[key] = dict(holder[key])
            holder = holder[key]
        holder[path[-1]] = _with(holder[path[-1]], common)
    return changed


def _with(labelled: Mapping[str, Any], common: Mapping[str, str]) -> dict[str, Any]:
    metadata: Mapping[str, Any] = labelled.get("metadata") or {}
    return {**labelled, "metadata": {**metadata, "labels": {**common, **(metadata.get("labels") or {})}}}


def _pod_templates(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The pod templates below `spec`: of a workload, of a CronJob's Job, of both parts of a group."""
    for key, value in node.items():
        if not isinstance(value, Mapping) or (not path and key != "spec"):
            continue
        inner = cast(Mapping[str, Any], value)
        if key.lower().endswith("template") and "containers" in (inner.get("spec") or {}):
            yield (*path, key)
        else:
            yield from _pod_templates(inner, (*path, key))


def revision_of(*templates: Any) -> str:
    """The hash of pod templates: the same for the same templates, and another one for any change; values that only
    the Pulumi engine knows are left out."""
    text = json.dumps(templates, sort_keys=True, separators=(",", ":"), default=lambda _output: None)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
