"""NVIDIA's DRA driver by its own Helm chart: ComputeDomains, for nodes that NVLink joins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.helm import v4 as helm

from components.faces import AnyNodePool
from components.kubernetes_object import KubernetesObject
from components.manifests.common import ACCELERATOR_LABEL, NODE_POOL_LABEL, namespace, tolerations
from components.manifests.device_claims import compute_domain, system_pods_quota
from components.serving_namespace import ServingNamespace
from planning.plan import ComputeDomainPlan, DraDriverPlan


@dataclass(frozen=True, kw_only=True)
class DraDriverArgs:
    plan: DraDriverPlan
    system_pool: str
    node_pools: Sequence[AnyNodePool]


class DraDriver(pulumi.ComponentResource):
    """Custom resources, the controller on the system pool, and the kubelet's plugin on the accelerator nodes."""

    chart: helm.Chart

    def __init__(self, name: str, args: DraDriverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:DraDriver", name, None, opts)
        plan = args.plan
        home = KubernetesObject(f"{name}-namespace", namespace(plan.namespace), pulumi.ResourceOptions(parent=self))
        quota = KubernetesObject(
            f"{name}-quota",
            system_pods_quota(f"{plan.name}-quota", plan.namespace, plan.pods),
            # The namespace is named by a string.
            pulumi.ResourceOptions(parent=self, depends_on=[home]),
        )
        self.chart = helm.Chart(
            plan.name,
            chart=plan.chart,
            version=plan.version,
            namespace=plan.namespace,
            values={
                **plan.values,
                "controller": {"affinity": _on(NODE_POOL_LABEL, [args.system_pool])},
                "kubeletPlugin": {
                    "affinity": _on(ACCELERATOR_LABEL, list(plan.gpu_types)),
                    "tolerations": tolerations(plan.taints),
                },
            },
            # Without the quota no pod of the chart is admitted, and its plugin is nowhere before there are nodes.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[home, quota, *(pool.ready for pool in args.node_pools)]
            ),
        )
        self.register_outputs({})

    def compute_domain(self, plan: ComputeDomainPlan, namespace: ServingNamespace) -> KubernetesObject:
        """The NVLink domain of one server that spans nodes, or of one test of two.

        The driver makes the ResourceClaimTemplate that the pods name.
        """
        # Its kind comes with the chart, and its namespace is named by a string.
        after = pulumi.ResourceOptions(parent=self, depends_on=[namespace, self.chart])
        return KubernetesObject(f"{plan.namespace}-{plan.name}-domain", compute_domain(plan), after)


def _on(label: str, values: list[str]) -> dict[str, Any]:
    """Replaces the chart's own affinity, for nodes that GKE does not label so."""
    terms = [{"matchExpressions": [{"key": label, "operator": "In", "values": values}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
