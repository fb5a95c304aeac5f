"""The Hugging Face token as a Secret beside the servers that read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests import token as manifests
from components.serving_namespace import ServingNamespace


@dataclass(frozen=True, kw_only=True)
class StackToken:
    """The stack's own secret, as a Secret in one namespace."""

    source: manifests.TokenSource
    ready: pulumi.Resource


def stack_token(
    name: str, label: str, namespace: ServingNamespace, token: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> StackToken:
    """Makes the Secret in a namespace of servers; nothing else of the graph holds a part of the token's value. `token`
    must be secret already."""
    secret = KubernetesObject(
        name,
        manifests.secret(label, namespace.name, token),
        # The object names its namespace by a string.
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[namespace])),
    )
    return StackToken(source=manifests.from_secret(secret.metadata.apply(_name)), ready=secret)


def _name(metadata: Mapping[str, Any]) -> str:
    return metadata["name"]
