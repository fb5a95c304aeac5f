"""The LeaderWorkerSet controller, by its own Helm chart."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.helm import v4 as helm

from components.kubernetes_object import KubernetesObject
from components.manifests.common import NODE_POOL_LABEL, namespace
from planning.plan import LeaderWorkerSetPlan


@dataclass(frozen=True, kw_only=True)
class LeaderWorkerSetArgs:
    plan: LeaderWorkerSetPlan
    system_pool: str
    keeps_kinds: bool
    """When the controller goes: in a cluster of the stack's own, with which they go. In another they must not stay."""


class LeaderWorkerSet(pulumi.ComponentResource):
    """Custom resources, webhooks and controller, on the system pool so that no GPU node is held for them."""

    chart: helm.Chart

    def __init__(self, name: str, args: LeaderWorkerSetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:LeaderWorkerSet", name, None, opts)
        plan = args.plan
        home = KubernetesObject(f"{name}-namespace", namespace(plan.namespace), pulumi.ResourceOptions(parent=self))
        self.chart = helm.Chart(
            plan.name,
            chart=plan.chart,
            version=plan.version,
            namespace=plan.namespace,
            values={
                "image": {"manager": {"tag": plan.controller_tag}},
                "nodeSelector": {NODE_POOL_LABEL: args.system_pool},
            },
            # The chart names its namespace by a string and does not make it.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[home], transforms=[_keep_kinds] if args.keeps_kinds else None
            ),
        )
        self.register_outputs({})


def _keep_kinds(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """Deleting a kind deletes every group there is. So it outlives its chart, and goes with the cluster alone."""
    if not args.type_.endswith(":CustomResourceDefinition"):
        return None
    kept = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(retain_on_delete=True))
    return pulumi.ResourceTransformResult(props=dict(args.props), opts=kept)
