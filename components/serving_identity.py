"""The Google account of pods: of model servers, or of what fills the bucket with their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager, serviceaccount, storage

from components.faces import AnyCluster, StackContext
from components.kubernetes_object import KubernetesObject
from components.serving_namespace import ServingNamespace
from components.weights_bucket import BucketAccess
from planning.plan import SecretManagerSecret


@dataclass(frozen=True, kw_only=True)
class ServingIdentityArgs:
    account_id: str
    """The part of the account's address before the @."""
    title: str
    """What its pods are, for people."""
    service_account: str
    """The name of the Kubernetes service account that may act as this account."""
    namespaces: Sequence[str]
    """The namespaces of that service account."""
    secret: SecretManagerSecret | None
    """The secret that it may read; None: there is none."""
    bucket: BucketAccess | None
    roles: Sequence[str]
    """Its roles on the bucket."""
    stack: StackContext
    cluster: AnyCluster


class ServingIdentity(pulumi.ComponentResource):
    """The account, which may do no more than its arguments say. It is not the nodes' account, so that a node cannot
    read the token and a server cannot do what nodes may."""

    email: pulumi.Output[str]

    def __init__(self, name: str, args: ServingIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ServingIdentity", name, None, opts)
        account = serviceaccount.Account(
            f"{name}-account",
            account_id=args.account_id,
            display_name=f"{args.title} of {args.cluster.cluster_name}",
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.stack.services], delete_before_replace=True),
        )
        if args.secret:
            secretmanager.SecretIamMember(
                f"{name}-reads-token",
                project=args.secret.project or args.stack.project,
                secret_id=args.secret.secret,
                role="roles/secretmanager.secretAccessor",
                member=account.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        if args.bucket:
            for role in args.roles:
                storage.BucketIAMMember(
                    f"{name}-{role.removeprefix('roles/')}",
                    bucket=args.bucket.name,
                    role=role,
                    member=account.member,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        for namespace in args.namespaces:
            serviceaccount.IAMMember(
                f"{name}-{namespace}",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{args.cluster.project}.svc.id.goog[{namespace}/{args.service_account}]",
                # Google makes the identity pool with the project's first cluster, and no value of the graph says so.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.cluster.ready]),
            )
        self.email = account.email
        self.register_outputs({"email": self.email})


def pod_account(
    name: str, account: str, namespace: ServingNamespace, identity: ServingIdentity, opts: pulumi.ResourceOptions
) -> KubernetesObject:
    """The Kubernetes service account whose pods are the Google account."""
    return KubernetesObject(
        name,
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": account,
                "namespace": namespace.name,
                "annotations": {"iam.gke.io/gcp-service-account": identity.email},
            },
        },
        # The account gets its rights from bindings that name it by a string, and it names its namespace so.
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[namespace, identity])),
    )


@dataclass(frozen=True, kw_only=True)
class PodAccountsArgs:
    account: str
    """The name of the Kubernetes service accounts."""
    identity: ServingIdentity
    namespaces: Mapping[str, ServingNamespace]


class PodAccounts(pulumi.ComponentResource):
    """The Kubernetes service accounts of a Google account, one in each namespace."""

    def __init__(self, name: str, args: PodAccountsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:PodAccounts", name, None, opts)
        for home, namespace in args.namespaces.items():
            own = pulumi.ResourceOptions(parent=self)
            pod_account(f"{name}-{home}", args.account, namespace, args.identity, own)
        self.register_outputs({})
