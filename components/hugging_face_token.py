"""The Hugging Face token: a Secret beside the servers that read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests import token as manifests
from components.serving_namespace import ServingNamespace


@dataclass(frozen=True, kw_only=True)
class HuggingFaceTokenArgs:
    label: str
    namespace: ServingNamespace
    token: pulumi.Output[str]
    """Must be secret already."""


class HuggingFaceToken(pulumi.ComponentResource):
    """Once in each namespace of servers; nothing else of the graph holds anything of the token's value."""

    source: manifests.TokenSource

    def __init__(self, name: str, args: HuggingFaceTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:HuggingFaceToken", name, None, opts)
        secret = KubernetesObject(
            f"{name}-secret",
            manifests.secret(args.label, args.namespace.name, args.token),
            # The namespace is named by a string.
            pulumi.ResourceOptions(parent=self, depends_on=[args.namespace]),
        )
        self.source = manifests.from_secret(secret.metadata.apply(_name))
        self.register_outputs({})


def _name(metadata: Mapping[str, Any]) -> str:
    return metadata["name"]
