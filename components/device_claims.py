"""The fabric's NICs as pods claim them, where DRANET allocates them."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests import device_claims as manifests
from components.serving_namespace import ServingNamespace
from planning.plan import DeviceClaimTemplate


@dataclass(frozen=True, kw_only=True)
class DeviceClaimsArgs:
    templates: tuple[DeviceClaimTemplate, ...]
    namespace: ServingNamespace


class DeviceClaims(pulumi.ComponentResource):
    """One ResourceClaimTemplate for each kind of device, beside the servers that name it."""

    def __init__(self, name: str, args: DeviceClaimsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:DeviceClaims", name, None, opts)
        for plan in args.templates:
            KubernetesObject(
                f"{name}-{plan.template}",
                manifests.claim_template(plan, args.namespace.name),
                # The object names its namespace by a string.
                pulumi.ResourceOptions(parent=self, depends_on=[args.namespace]),
            )
        self.register_outputs({})
