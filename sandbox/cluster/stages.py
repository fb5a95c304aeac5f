"""The stages by which kwok simulates kubelets: its own ones, with exceptions for pods that really run
something."""

import json
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox.cluster.workloads import Workloads

# A pod with these labels stands for a process that really runs: it becomes Ready when that process serves, which the
# supervisor says by the annotation, and not when its node takes it. The labels are the LeaderWorkerSet chart's own.
PROCESS_LABELS = {"app.kubernetes.io/name": "lws", "control-plane": "controller-manager"}
SERVING_ANNOTATION = "sandbox/serving"
SILENT_ANNOTATION = "sandbox/silent"
"""On a node whose kubelet has fallen silent: kwok would say at once that it is Ready."""

STAGE_FILES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


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
        kinds = [_with_requirements(stage, "pod-ready", simulated)]
    else:
        other, model_server = {"key": found, "operator": "DoesNotExist"}, {"key": found, "operator": "Exists"}
        kinds = [
            _with_requirements(stage, "pod-ready", simulated, other),
            _started_only(_with_requirements(stage, "pod-started-model-server", model_server)),
        ]
    return [process, *(each for kind in kinds for each in _by_init_containers(kind, workloads))]


def _by_init_containers(stage: dict[str, Any], workloads: Workloads) -> list[dict[str, Any]]:
    """The same stage for pods of which no init container really runs, and for the others once these are done; their
    status says how that went, and stays."""
    if workloads.init_containers is None:
        return [stage]
    words = list(workloads.init_containers.command)
    begins = f"((.command // []) + (.args // []))[0:{len(words)}] == {json.dumps(words)}"
    found = f'(.spec.initContainers // [])[] | select(.restartPolicy != "Always") | select({begins}) | .name'
    done = '.status.conditions.[] | select( .type == "Initialized" ) | .status'
    name = stage["metadata"]["name"]
    initialized = _with_requirements(
        stage,
        f"{name}-initialized",
        {"key": found, "operator": "Exists"},
        {"key": done, "operator": "In", "values": ["True"]},
    )
    return [
        _with_requirements(stage, name, {"key": found, "operator": "DoesNotExist"}),
        _without_init_containers(initialized),
    ]


def _without_init_containers(stage: dict[str, Any]) -> dict[str, Any]:
    template: str = stage["spec"]["next"]["statusTemplate"]
    before, heading, rest = template.partition("initContainerStatuses:\n")
    _, hosts, after = rest.partition("{{ $hostIPs :=")
    if not heading or not hosts:
        raise ValueError("kwok's stage pod-ready is not as expected")
    return {**stage, "spec": {**stage["spec"], "next": {"statusTemplate": before + hosts + after}}}


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


def _node_initialize(stage: dict[str, Any], workloads: Workloads) -> list[dict[str, Any]]:
    speaks = {"key": f'.metadata.annotations["{SILENT_ANNOTATION}"]', "operator": "DoesNotExist"}
    return [_with_requirements(stage, "node-initialize", speaks)]


_STAGE_CHANGES = {
    "node-initialize": _node_initialize,
    "pod-ready": _pod_ready,
    "pod-complete": _pod_complete,
    "pod-delete": _pod_delete,
}


def _with_requirements(stage: dict[str, Any], name: str, *requirements: dict[str, Any]) -> dict[str, Any]:
    spec = cast(dict[str, Any], stage["spec"])
    expressions = [*spec["selector"]["matchExpressions"], *requirements]
    return {
        **stage,
        "metadata": {"name": name},
        "spec": {**spec, "selector": {**spec["selector"], "matchExpressions": expressions}},
    }
