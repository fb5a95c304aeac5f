"""The service account that nodes run as, which can write logs and metrics and pull images, and nothing else."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects, serviceaccount

from components.faces import StackContext
from planning.plan import NodeIdentityPlan


@dataclass(frozen=True, kw_only=True)
class NodeIdentityArgs:
    plan: NodeIdentityPlan
    cluster_name: str
    stack: StackContext


class NodeIdentity(pulumi.ComponentResource):
    """An account only for the nodes: Compute Engine's default account could change the whole project."""

    email: pulumi.Output[str]

    def __init__(self, name: str, args: NodeIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:NodeIdentity", name, None, opts)
        account = serviceaccount.Account(
            f"{name}-account",
            account_id=args.plan.account_id,
            display_name=f"Nodes of {args.cluster_name}",
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.stack.services], delete_before_replace=True),
        )
        for role in args.plan.roles:
            projects.IAMMember(
                f"{name}-{role.removeprefix('roles/')}",
                project=args.stack.project,
                role=role,
                member=account.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.email = account.email
        self.register_outputs({"email": self.email})
