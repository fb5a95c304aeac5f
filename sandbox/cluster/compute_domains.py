"""Stands in for the controller of NVIDIA's DRA driver: what pods of a ComputeDomain need to be scheduled."""

from typing import Any

from sandbox.cluster.api import AsyncApi

GROUP = "/apis/resource.nvidia.com/v1beta1"
DRIVER = "compute-domain.nvidia.com"
CHANNEL_CLASS = "compute-domain-default-channel.nvidia.com"
DOMAIN_LABEL = "resource.nvidia.com/computeDomain"
CONTROLLER_LABEL = "nvidia-dra-driver-gpu-component%3Dcontroller"


class ComputeDomainController:
    """Makes the ResourceClaimTemplate that a ComputeDomain names, as long as the controller's own pod runs."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def reconcile(self) -> None:
        # Without the chart there is no such kind.
        domains = await self._api.find(f"{GROUP}/computedomains")
        items: list[dict[str, Any]] = domains["items"] if domains else []
        for domain in items:
            path = f"/apis/resource.k8s.io/v1/namespaces/{domain['metadata']['namespace']}/resourceclaimtemplates"
            template = _template(domain)
            if await self._api.find(f"{path}/{template['metadata']['name']}") is None and await self._runs():
                await self._api.call("POST", path, template)

    async def _runs(self) -> bool:
        pods = await self._api.call("GET", f"/api/v1/pods?labelSelector={CONTROLLER_LABEL}")
        return any(pod.get("status", {}).get("phase") == "Running" for pod in pods["items"])


def _template(domain: dict[str, Any]) -> dict[str, Any]:
    metadata, channel = domain["metadata"], domain["spec"]["channel"]
    parameters = {
        "apiVersion": "resource.nvidia.com/v1beta1",
        "kind": "ComputeDomainChannelConfig",
        "domainID": metadata["uid"],
        "allocationMode": channel.get("allocationMode", "Single"),
    }
    owner = {
        "apiVersion": domain["apiVersion"],
        "kind": domain["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {
            "name": channel["resourceClaimTemplate"]["name"],
            "namespace": metadata["namespace"],
            "labels": {DOMAIN_LABEL: metadata["uid"]},
            # The template goes with its domain.
            "ownerReferences": [owner],
        },
        "spec": {
            "spec": {
                "devices": {
                    "requests": [{"name": "channel", "exactly": {"deviceClassName": CHANNEL_CLASS}}],
                    "config": [{"requests": ["channel"], "opaque": {"driver": DRIVER, "parameters": parameters}}],
                }
            }
        },
    }
