"""The labels on everything, those by which objects of a model server find each other, and the hash of a revision."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from planning.plan import ModelServerPlan

ON_EVERYTHING = {"app.kubernetes.io/part-of": "inference-platform"}
"""On every object of every stack and on every pod, beside the stack file's own `labels`."""
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


def labelled(manifest: Mapping[str, Any], stack_labels: Mapping[str, str]) -> dict[str, Any]:
    """The same object with the labels that everything has, on itself and on all pods that it makes.

    A label that is there already stays, and no selector changes: it finds what it found before.
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
    """Where they are below `spec`: of a workload, of a CronJob's Job, of the two halves of a group."""
    for key, value in node.items():
        if not isinstance(value, Mapping) or (not path and key != "spec"):
            continue
        inner = cast(Mapping[str, Any], value)
        if key.lower().endswith("template") and "containers" in (inner.get("spec") or {}):
            yield (*path, key)
        else:
            yield from _pod_templates(inner, (*path, key))


def revision_of(*templates: Any) -> str:
    """The same for the same pod templates, another one for any other; what only the engine knows is no part of it."""
    text = json.dumps(templates, sort_keys=True, separators=(",", ":"), default=lambda _output: None)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
