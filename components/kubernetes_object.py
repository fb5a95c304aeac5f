"""Registers one Kubernetes manifest, written in Kubernetes' own field names, as one resource."""

from collections.abc import Mapping
from typing import Any

import pulumi


class KubernetesObject(pulumi.CustomResource):
    """A Kubernetes object of any kind, built-in or custom.

    The SDK's own classes translate snake_case for built-in kinds only; handing the manifest over as it is treats a
    Deployment and a LeaderWorkerSet alike, and costs no import of the SDK.
    """

    metadata: pulumi.Output[Mapping[str, Any]]
    """The object's metadata, as the API server returns it."""

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Registers `manifest`, which must name its apiVersion and kind. `opts` must lead to a provider."""
        version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        group = version if "/" in version else f"core/{version}"
        own = pulumi.ResourceOptions(
            # The names are fixed, so a replacement must first free the name, unless the Pulumi engine chooses it.
            delete_before_replace="name" in manifest["metadata"],
            additional_secret_outputs=["data", "stringData"] if kind == "Secret" else None,
        )
        super().__init__(f"kubernetes:{group}:{kind}", name, dict(manifest), pulumi.ResourceOptions.merge(opts, own))
