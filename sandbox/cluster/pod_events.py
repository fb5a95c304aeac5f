"""Writes events of pods, as a kubelet does."""

from sandbox.cluster import pods
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.pods import Pod


class PodEvents:
    """Tells each pod's trouble once."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api
        self._told: set[tuple[str, str, str]] = set()

    async def warn(self, pod: Pod, reason: str, message: str) -> None:
        metadata = pod["metadata"]
        said = (metadata["uid"], reason, message)
        if said in self._told:
            return
        self._told.add(said)
        event = {
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {"kind": "Pod", **{key: metadata[key] for key in ("name", "namespace", "uid")}},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "firstTimestamp": pods.now(),
            "lastTimestamp": pods.now(),
            "count": 1,
        }
        await self._api.call("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", event)
