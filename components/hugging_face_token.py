"""The Hugging Face token: one Secret beside the servers that read it."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests.vllm import TOKEN_KEY
from components.serving_namespace import ServingNamespace


@dataclass(frozen=True, kw_only=True)
class HuggingFaceTokenArgs:
    secret_name: str
    namespace: ServingNamespace
    token: pulumi.Output[str]
    """Must be secret already."""


class HuggingFaceToken(pulumi.ComponentResource):
    """The only place of the graph that holds the token's value."""

    secret_name: str

    def __init__(self, name: str, args: HuggingFaceTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:HuggingFaceToken", name, None, opts)
        self.secret_name = args.secret_name
        self.secret = KubernetesObject(
            f"{name}-secret",
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": args.secret_name, "namespace": args.namespace.name},
                "type": "Opaque",
                "stringData": {TOKEN_KEY: args.token},
            },
            # The namespace is named by a string.
            pulumi.ResourceOptions(parent=self, depends_on=[args.namespace]),
        )
        self.register_outputs({})
