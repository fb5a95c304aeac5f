"""What fills the bucket with weights: the account of its pods, and a Job for each checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.faces import AnyNodePool, AnyToken
from components.kubernetes_object import KubernetesObject
from components.manifests.weights_fill import weights_fill
from components.serving_identity import ServingIdentity, pod_account
from components.serving_namespace import ServingNamespace
from planning.plan import BucketFillPlan


@dataclass(frozen=True, kw_only=True)
class BucketFillsArgs:
    plans: Sequence[BucketFillPlan]
    identity: ServingIdentity
    namespaces: Mapping[str, ServingNamespace]
    tokens: Mapping[str, AnyToken]
    """The Hugging Face token in each namespace."""
    node_pools: Mapping[str, AnyNodePool]
    images: Sequence[pulumi.Resource]
    """What must be there before a pod pulls an image."""


class BucketFills(pulumi.ComponentResource):
    """The Jobs. A server starts once that of its checkpoint has ended well."""

    jobs: Mapping[str, pulumi.Resource]
    """By the folder that each fills."""

    def __init__(self, name: str, args: BucketFillsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:BucketFills", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        accounts = {
            (plan.namespace, plan.service_account): pod_account(
                f"{name}-{plan.namespace}-account",
                plan.service_account,
                args.namespaces[plan.namespace],
                args.identity,
                here,
            )
            for plan in {plan.namespace: plan for plan in args.plans}.values()
        }
        self.jobs = {plan.use.folder: self._job(plan, args, accounts) for plan in args.plans}
        self.register_outputs({})

    def _job(
        self, plan: BucketFillPlan, args: BucketFillsArgs, accounts: Mapping[tuple[str, str], KubernetesObject]
    ) -> KubernetesObject:
        token = args.tokens[plan.namespace]
        # The pod names its account, the token and the pool by strings.
        needs = [accounts[plan.namespace, plan.service_account], token.ready, args.node_pools[plan.node_pool].ready]
        return KubernetesObject(
            plan.name,
            weights_fill(plan, token.source),
            pulumi.ResourceOptions(parent=self, depends_on=[*needs, *args.images]),
        )
