"""The NVLink domain of one server that spans nodes, or of one test of two."""

from dataclasses import dataclass

import pulumi

from components.dra_driver import DraDriver
from components.kubernetes_object import KubernetesObject
from components.manifests import device_claims as manifests
from components.serving_namespace import ServingNamespace
from planning.plan import ComputeDomainPlan


@dataclass(frozen=True, kw_only=True)
class ComputeDomainArgs:
    plan: ComputeDomainPlan
    namespace: ServingNamespace
    driver: DraDriver


class ComputeDomain(pulumi.ComponentResource):
    """One ComputeDomain; the driver makes the ResourceClaimTemplate that the pods name."""

    def __init__(self, name: str, args: ComputeDomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ComputeDomain", name, None, opts)
        self.resource = KubernetesObject(
            f"{name}-domain",
            manifests.compute_domain(args.plan),
            # Its kind comes with the driver's chart, and its namespace is named by a string.
            pulumi.ResourceOptions(parent=self, depends_on=[args.namespace, args.driver.chart]),
        )
        self.register_outputs({})
