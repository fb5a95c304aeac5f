"""Expands LeaderWorkerSets, which the linters do not know, into the pods that the controller makes."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]


class Role(StrEnum):
    """The purpose of a pod template; waivers are given to a role."""

    SERVER = "server"
    LEADER = "leader"
    WORKER = "worker"
    SMOKE_TEST = "smoke test"
    PREFLIGHT = "preflight"
    TRANSPORT_DAEMON = "transport daemon"
    FETCH = "fetch of weights"


@dataclass(frozen=True)
class PodObject:
    """An object that makes pods, in a form that the linters can read."""

    name: str
    role: Role
    manifest: Manifest

    @property
    def key(self) -> tuple[str, str]:
        return self.manifest["kind"], self.manifest["metadata"]["name"]


_JOBS = {"smoke": Role.SMOKE_TEST, "preflight": Role.PREFLIGHT}


def read(folder: Path) -> list[Manifest]:
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.yaml"))]


def pod_objects(manifests: list[Manifest]) -> list[PodObject]:
    """The objects whose pods run on GPUs, or test them.

    A chart's pods are left out, since its makers answer for them, and so is what is installed on nodes, which has to be
    privileged.
    """
    return [part for manifest in manifests for each in _expand(manifest) for part in _apart(each)]


def _expand(manifest: Manifest) -> Iterator[PodObject]:
    name = manifest["metadata"]["name"]
    match manifest["kind"]:
        case "LeaderWorkerSet":
            template = manifest["spec"]["leaderWorkerTemplate"]
            for role, key, index in ((Role.LEADER, "leaderTemplate", "0"), (Role.WORKER, "workerTemplate", "1")):
                yield PodObject(f"{name}, {role}", role, _pod(manifest, template[key], index, role))
        case "Deployment" if _is_server(manifest):
            yield PodObject(name, Role.SERVER, manifest)
        case "Job":
            role = _JOBS[manifest["metadata"]["labels"]["inference-platform/job"]]
            yield PodObject(name, role, manifest)
        case _:
            return


def _apart(whole: PodObject) -> Iterator[PodObject]:
    """The pod without what starts before it, and each of that as another pod, so that each is judged alone."""
    rest = copy.deepcopy(whole.manifest)
    metadata, spec = (rest["metadata"], rest["spec"]) if rest["kind"] == "Pod" else _template(rest)
    sidecars = spec.pop("initContainers", [])
    yield PodObject(whole.name, whole.role, rest)
    for sidecar in sidecars:
        alone = copy.deepcopy(spec)
        alone["containers"] = [{key: value for key, value in sidecar.items() if key != "restartPolicy"}]
        named = {**metadata, "name": f"{rest['metadata']['name']}-{whole.role}-{sidecar['name']}".replace(" ", "-")}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**named, "namespace": rest["metadata"]["namespace"]},
            "spec": alone,
        }
        role = Role.TRANSPORT_DAEMON if sidecar.get("restartPolicy") == "Always" else Role.FETCH
        yield PodObject(f"{whole.name}, {sidecar['name']}", role, pod)


def _template(manifest: Manifest) -> tuple[Manifest, Manifest]:
    template = manifest["spec"]["template"]
    return template["metadata"], template["spec"]


def _is_server(manifest: Manifest) -> bool:
    return manifest["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "vllm"


def _pod(group: Manifest, template: Manifest, index: str, role: Role) -> Manifest:
    """A pod with the labels that the controller sets; without them no Service and no policy would find it."""
    metadata = copy.deepcopy(template["metadata"])
    name = group["metadata"]["name"]
    metadata["labels"] |= {
        "leaderworkerset.sigs.k8s.io/name": name,
        "leaderworkerset.sigs.k8s.io/group-index": "0",
        "leaderworkerset.sigs.k8s.io/worker-index": index,
    }
    metadata |= {"name": f"{name}-{role}", "namespace": group["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
