"""The namespace of the model servers, which admits no pod that asks for more than it needs."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests.common import namespace


@dataclass(frozen=True, kw_only=True)
class ServingNamespaceArgs:
    namespace: str


class ServingNamespace(pulumi.ComponentResource):
    """Enforces Pod Security's `restricted` profile."""

    name: str

    def __init__(self, name: str, args: ServingNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ServingNamespace", name, None, opts)
        self.name = args.namespace
        self.resource = KubernetesObject(
            f"{name}-namespace",
            namespace(args.namespace, {"pod-security.kubernetes.io/enforce": "restricted"}),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
