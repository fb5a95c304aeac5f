"""The LeaderWorkerSet controller, installed by its own Helm chart."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.helm import v4 as helm

from components.kubernetes_object import KubernetesObject
from components.manifests import leader_worker_set as manifests
from components.manifests.common import namespace
from components.manifests.device_claims import system_pods_quota
from planning.plan import LeaderWorkerSetPlan


@dataclass(frozen=True, kw_only=True)
class LeaderWorkerSetArgs:
    plan: LeaderWorkerSetPlan
    system_pool: str
    keeps_kinds: bool
    """Whether the chart's kinds stay when the controller is deleted: in a cluster of the stack's own they do, since
    they are deleted with the cluster; in another one they must not stay."""


class LeaderWorkerSet(pulumi.ComponentResource):
    """The chart's custom resources, webhooks and controller. The controller is on the system pool, so that it needs no
    GPU node."""

    chart: helm.Chart

    def __init__(self, name: str, args: LeaderWorkerSetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:LeaderWorkerSet", name, None, opts)
        plan = args.plan
        home = KubernetesObject(f"{name}-namespace", namespace(plan.namespace), pulumi.ResourceOptions(parent=self))
        # The objects name the namespace by a string, and the chart does not make it.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[home])
        # Twice as many, since an update starts new pods first.
        quota = KubernetesObject(
            f"{name}-quota", system_pods_quota(f"{plan.name}-quota", plan.namespace, 2 * plan.replicas), inside
        )
        KubernetesObject(f"{name}-disruption-budget", manifests.disruption_budget(plan), inside)
        self.chart = helm.Chart(
            plan.name,
            chart=plan.chart,
            version=plan.version,
            namespace=plan.namespace,
            values=manifests.values(plan, args.system_pool),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Without the quota no pod of that priority is admitted.
                depends_on=[home, quota],
                transforms=[
                    _prioritise(plan.priority_class),
                    _say_scopes,
                    *([_keep_kinds] if args.keeps_kinds else []),
                ],
            ),
        )
        self.register_outputs({})


def _prioritise(priority_class: str) -> pulumi.ResourceTransform:
    """A transform that gives the controller's pods a priority class, for which the chart has no value."""

    def prioritise(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if not args.type_.endswith(":Deployment"):
            return None
        props = manifests.with_priority(dict(args.props), priority_class)
        return pulumi.ResourceTransformResult(props=props, opts=args.opts)

    return prioritise


def _say_scopes(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """A transform that lets the webhooks be made again after a kill."""
    if not args.type_.endswith("WebhookConfiguration"):
        return None
    return pulumi.ResourceTransformResult(props=manifests.with_scopes(dict(args.props)), opts=args.opts)


def _keep_kinds(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """A transform that keeps the chart's kinds when it is removed, since deleting a kind deletes all its objects."""
    if not args.type_.endswith(":CustomResourceDefinition"):
        return None
    kept = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(retain_on_delete=True))
    return pulumi.ResourceTransformResult(props=dict(args.props), opts=kept)
