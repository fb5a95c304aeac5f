"""The Hugging Face token: a Secret beside the servers that read it."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests.token import TOKEN_KEY, TokenSource, from_secret
from components.serving_namespace import ServingNamespace


@dataclass(frozen=True, kw_only=True)
class HuggingFaceTokenArgs:
    secret_name: str
    namespace: ServingNamespace
    token: pulumi.Output[str]
    """Must be secret already."""
    revision: str
    """Another one for another token."""


class HuggingFaceToken(pulumi.ComponentResource):
    """Once in each namespace of servers; nothing else of the graph holds the token's value."""

    source: TokenSource

    def __init__(self, name: str, args: HuggingFaceTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:HuggingFaceToken", name, None, opts)
        self.source = from_secret(args.secret_name, args.revision)
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
