"""The folders of this machine that stand for a pod's volumes, and the container's paths with them in place."""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.cluster import layout
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.pods import Pod
from sandbox.cluster.secret_volumes import SecretVolumes

_SCRATCH = ".scratch"


class PodVolumes:
    """Makes folders when they are needed. Those of a node stay until it is gone, all others until their pod is."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api
        self._secrets = SecretVolumes(api)

    async def mount(self, pod: Pod) -> bool:
        """Mounts what the pod reads from the cluster; returns whether it has all of it. If not, an event says why."""
        return await self._secrets.mount(pod)

    def forget_all_but(self, found: Iterable[Pod]) -> None:
        pods = list(found)
        self._secrets.forget_all_but(pods)
        uids = {pod["metadata"]["uid"] for pod in pods}
        _remove_others(layout.VOLUMES, uids)

    async def paths(self, pod: Pod, container: dict[str, Any]) -> "Paths":
        """The container's mounts, once the pod has mounted what it reads from the cluster."""
        uid = pod["metadata"]["uid"]
        volumes: dict[str, dict[str, Any]] = {each["name"]: each for each in pod["spec"].get("volumes", [])}
        found: dict[str, Path] = {}
        of_the_node: list[Path] = []
        for mount in container.get("volumeMounts", []):
            folder = await self._folder(pod, volumes[mount["name"]])
            if folder is not None:
                found[mount["mountPath"].rstrip("/")] = folder / mount.get("subPath", "")
            if folder is not None and "hostPath" in volumes[mount["name"]]:
                of_the_node.append(folder)
        scratch = Path.cwd() / layout.VOLUMES / uid / _SCRATCH / container["name"]
        for folder in (*found.values(), scratch):
            folder.mkdir(parents=True, exist_ok=True)
        return Paths(found, tuple(of_the_node), scratch)

    async def _folder(self, pod: Pod, volume: dict[str, Any]) -> Path | None:
        """The folder of a volume; None if nothing here stands for that kind."""
        uid, here = pod["metadata"]["uid"], Path.cwd()
        if "hostPath" in volume:
            return await self._node(pod["spec"]["nodeName"]) / volume["hostPath"]["path"].lstrip("/")
        if "emptyDir" in volume:
            return here / layout.VOLUMES / uid / volume["name"]
        if {"secret", "configMap", "csi"} & volume.keys():
            return here / layout.MOUNTS / uid / volume["name"]
        return None

    async def _node(self, name: str) -> Path:
        """The node's own file system. Another node of the same name begins with an empty one."""
        nodes = (await self._api.call("GET", "/api/v1/nodes"))["items"]
        folders = {each["metadata"]["name"]: f"{each['metadata']['name']}.{each['metadata']['uid']}" for each in nodes}
        _remove_others(layout.NODES, set(folders.values()))
        return Path.cwd() / layout.NODES / folders.get(name, f"{name}.gone")


class Paths:
    """The folders that stand for a container's mounts, by the mounts' paths.

    A process here sees this machine's files and not its container's, so its paths are replaced wherever a word or a
    variable names one; those that are written in a program's own text are not.
    """

    def __init__(self, mounts: Mapping[str, Path], of_the_node: tuple[Path, ...], scratch: Path) -> None:
        """`of_the_node`: those that outlive the pod; `scratch`: a folder for what has no volume."""
        self._mounts = mounts
        self.of_the_node = of_the_node
        self.temporary = mounts.get("/tmp", scratch)
        self.home = scratch
        longest_first = sorted(mounts, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w.-])")

    def here(self, text: str) -> str:
        return self._pattern.sub(lambda match: str(self._mounts[match[0]]), text) if self._mounts else text


def _remove_others(folder: Path, kept: set[str]) -> None:
    for each in folder.iterdir() if folder.is_dir() else ():
        if each.name not in kept:
            shutil.rmtree(each, ignore_errors=True)
