"""NVIDIA's DRA driver, installed by its own Helm chart: ComputeDomains for nodes that NVLink joins."""

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
    """The chart's custom resources, its controller on the system pool, and its kubelet plugin on the accelerator
    nodes."""

    chart: helm.Chart

    def __init__(self, name: str, args: DraDriverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:DraDriver", name, None, opts)
        plan = args.plan
        home = KubernetesObject(f"{name}-namespace", namespace(plan.namespace), pulumi.ResourceOptions(parent=self))
        quota = KubernetesObject(
            f"{name}-quota",
            system_pods_quota(f"{plan.name}-quota", plan.namespace, plan.pods),
            # The object names its namespace by a string.
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
            # Without the quota no pod of the chart is admitted, and its plugin runs nowhere before there are nodes.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[home, quota, *(pool.ready for pool in args.node_pools)]
            ),
        )
        self.register_outputs({})

    def compute_domain(self, plan: ComputeDomainPlan, namespace: ServingNamespace) -> KubernetesObject:
        """Makes the NVLink domain of one server or test that spans nodes. The driver makes the ResourceClaimTemplate
        that the pods name."""
        # The chart installs its kind, and it names its namespace by a string.
        after = pulumi.ResourceOptions(parent=self, depends_on=[namespace, self.chart])
        return KubernetesObject(f"{plan.namespace}-{plan.name}-domain", compute_domain(plan), after)


def _on(label: str, values: list[str]) -> dict[str, Any]:
    """An affinity that replaces the chart's own, which expects a label that GKE does not set."""
    terms = [{"matchExpressions": [{"key": label, "operator": "In", "values": values}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
