"""The Hugging Face token in Secret Manager: what a namespace needs so that its pods can mount it."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests import token as manifests
from components.serving_identity import ServingIdentity, pod_account
from components.serving_namespace import ServingNamespace
from planning.plan import SecretManagerSecret


@dataclass(frozen=True, kw_only=True)
class SecretManagerTokenArgs:
    name: str
    """The name of the SecretProviderClass."""
    secret: SecretManagerSecret
    project: str
    """The project of the secret, unless the plan names another one."""
    namespace: ServingNamespace
    identity: ServingIdentity


class SecretManagerToken(pulumi.ComponentResource):
    """Lets pods of a namespace mount the token. The graph holds the secret's name, and never its content."""

    source: manifests.TokenSource
    ready: pulumi.Resource

    def __init__(self, name: str, args: SecretManagerTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:SecretManagerToken", name, None, opts)
        self.ready = self
        namespace = args.namespace.name
        self.source = manifests.from_secret_manager(args.name, args.secret)
        # The object names its namespace by a string.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[args.namespace])
        pod_account(
            f"{name}-account",
            args.secret.service_account,
            args.namespace,
            args.identity,
            pulumi.ResourceOptions(parent=self),
        )
        KubernetesObject(
            f"{name}-class", manifests.provider_class(args.name, namespace, args.secret, args.project), inside
        )
        self.register_outputs({})
