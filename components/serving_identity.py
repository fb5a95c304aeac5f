"""The Google account of the model servers: it may read one secret, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager, serviceaccount

from components.faces import AnyCluster, StackContext
from planning.plan import SecretManagerSecret


@dataclass(frozen=True, kw_only=True)
class ServingIdentityArgs:
    secret: SecretManagerSecret
    stack: StackContext
    cluster: AnyCluster
    namespaces: Sequence[str]
    """The namespaces in which the servers' Kubernetes service account may act as this account."""


class ServingIdentity(pulumi.ComponentResource):
    """The servers' account. It is not the nodes' account, so that a node cannot read the token and a server cannot do
    what nodes may."""

    email: pulumi.Output[str]

    def __init__(self, name: str, args: ServingIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ServingIdentity", name, None, opts)
        secret = args.secret
        account = serviceaccount.Account(
            f"{name}-account",
            account_id=secret.account_id,
            display_name=f"Model servers of {args.cluster.cluster_name}",
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.stack.services], delete_before_replace=True),
        )
        secretmanager.SecretIamMember(
            f"{name}-reads-token",
            project=secret.project or args.stack.project,
            secret_id=secret.secret,
            role="roles/secretmanager.secretAccessor",
            member=account.member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        for namespace in args.namespaces:
            serviceaccount.IAMMember(
                f"{name}-{namespace}",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{args.cluster.project}.svc.id.goog[{namespace}/{secret.service_account}]",
                # Google makes the identity pool with the project's first cluster, and no value of the graph says so.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.cluster.ready]),
            )
        self.email = account.email
        self.register_outputs({"email": self.email})
