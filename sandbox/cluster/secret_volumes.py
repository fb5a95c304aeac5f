"""Mounts volumes that hold files of the cluster: from a Secret or a ConfigMap, or from Secret Manager as GKE's add-on
does."""

import base64
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.cluster import layout, secret_manager
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.pod_events import PodEvents
from sandbox.cluster.pods import Pod
from sandbox.cluster.workload_identity import Denied

DRIVER = "secrets-store-gke.csi.k8s.io"
TOKEN_PATH = "HF_TOKEN_PATH"

_PROVIDERS = "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/{namespace}/secretproviderclasses/{name}"


class SecretVolumes:
    """Knows which pods have mounted their secrets, and tells by events why others have not."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api
        self._mounted: set[str] = set()
        self._events = PodEvents(api)

    def forget_all_but(self, found: Iterable[Pod]) -> None:
        there = {pod["metadata"]["uid"] for pod in found}
        for gone in self._mounted - there:
            shutil.rmtree(layout.MOUNTS / gone, ignore_errors=True)
        self._mounted &= there

    async def mount(self, pod: Pod) -> bool:
        """Mounts the pod's secrets; returns whether it has all of them, and the token that its server looks for. If
        not, an event says why."""
        uid = pod["metadata"]["uid"]
        if uid in self._mounted:
            return True
        try:
            for volume in pod["spec"].get("volumes", []):
                await self._lay(pod, volume)
            _require_token(pod)
        except Denied as reason:
            await self._events.warn(pod, "FailedMount", f"MountVolume.SetUp failed: {reason}")
            return False
        self._mounted.add(uid)
        return True

    async def _lay(self, pod: Pod, volume: dict[str, Any]) -> None:
        if "secret" in volume:
            files = await self._of_secret(pod, volume["secret"]["secretName"])
        elif "configMap" in volume:
            files = await self._of_config_map(pod, volume["configMap"]["name"])
        elif volume.get("csi", {}).get("driver") == DRIVER:
            files = await self._of_secret_manager(pod, volume["csi"]["volumeAttributes"]["secretProviderClass"])
        else:
            return
        for name, content in files.items():
            layout.write(layout.MOUNTS / pod["metadata"]["uid"] / volume["name"] / name, content, 0o400)

    async def _of_secret(self, pod: Pod, name: str) -> dict[str, bytes]:
        secret = await self._required(f"/api/v1/namespaces/{pod['metadata']['namespace']}/secrets/{name}", name)
        return {key: base64.b64decode(value) for key, value in secret.get("data", {}).items()}

    async def _of_config_map(self, pod: Pod, name: str) -> dict[str, bytes]:
        held = await self._required(f"/api/v1/namespaces/{pod['metadata']['namespace']}/configmaps/{name}", name)
        return {key: value.encode() for key, value in held.get("data", {}).items()}

    async def _of_secret_manager(self, pod: Pod, name: str) -> dict[str, bytes]:
        namespace = pod["metadata"]["namespace"]
        provided = await self._required(_PROVIDERS.format(namespace=namespace, name=name), name)
        account = pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
        files = secret_manager.read(provided, await self._required(path, account))
        return {file: content.encode() for file, content in files.items()}

    async def _required(self, path: str, name: str) -> Any:
        found = await self._api.find(path)
        if found is None:
            raise Denied(f"{path.split('/')[-2]} {name!r} not found")
        return found


def _require_token(pod: Pod) -> None:
    """Raises Denied if a container looks for a token that is not mounted. Without a token no gated checkpoint can be
    read."""
    for container in pod["spec"]["containers"]:
        wanted = next((each.get("value") for each in container.get("env", []) if each["name"] == TOKEN_PATH), None)
        if wanted is None:
            continue
        homes = {Path(mount["mountPath"]): mount["name"] for mount in container.get("volumeMounts", [])}
        volume = homes.get(Path(wanted).parent)
        file = layout.MOUNTS / pod["metadata"]["uid"] / str(volume) / Path(wanted).name
        if not file.is_file() or not file.read_bytes().strip():
            raise Denied(f"container {container['name']!r} finds no token at {wanted}")
