"""The Hugging Face token: a Secret beside the servers that read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


class HuggingFaceToken(pulumi.ComponentResource):
    """Once in each namespace of servers; nothing else of the graph holds the token's value."""

    source: TokenSource

    def __init__(self, name: str, args: HuggingFaceTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:HuggingFaceToken", name, None, opts)
        secret = KubernetesObject(
            f"{name}-secret",
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": args.secret_name, "namespace": args.namespace.name},
                "type": "Opaque",
                # So that another token is another object, with a uid of its own. That is how the servers know of it:
                # any digest of the token would stand on their pods and in plain state for whoever has a guess to try.
                "immutable": True,
                "stringData": {TOKEN_KEY: args.token},
            },
            # The namespace is named by a string.
            pulumi.ResourceOptions(parent=self, depends_on=[args.namespace]),
        )
        self.source = from_secret(args.secret_name, secret.metadata.apply(_uid))
        self.register_outputs({})


def _uid(metadata: Mapping[str, Any]) -> Any:
    # A preview of a Secret that is yet to be made knows no more than its name.
    return metadata.get("uid", pulumi.UNKNOWN)
