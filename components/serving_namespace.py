"""A namespace of model servers. It admits no pod that asks for more than it needs, and by default nobody may
connect."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests import host_access, network_policies
from components.manifests.common import namespace
from components.manifests.metrics import pod_monitoring
from planning.plan import AccessPlan, NamespacePlan


@dataclass(frozen=True, kw_only=True)
class ServingNamespaceArgs:
    plan: NamespacePlan
    access: AccessPlan


class ServingNamespace(pulumi.ComponentResource):
    """The namespace. It enforces a Pod Security profile, and an admission policy of ours where that profile would allow
    too much.

    Whatever is in the namespace depends on the whole component, so that no pod comes before the policies.
    """

    name: str

    def __init__(self, name: str, args: ServingNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ServingNamespace", name, None, opts)
        plan = args.plan
        self.name = plan.name
        labels = {
            "pod-security.kubernetes.io/enforce": plan.pod_security.value,
            "pod-security.kubernetes.io/audit": "restricted",
        }
        self.resource = KubernetesObject(
            f"{name}-namespace", namespace(plan.name, labels), pulumi.ResourceOptions(parent=self)
        )
        # The objects name the namespace by a string.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[self.resource])
        KubernetesObject(f"{name}-deny-all", network_policies.deny_all(plan.name), inside)
        if plan.server_ports:
            KubernetesObject(f"{name}-servers", network_policies.servers(plan, args.access), inside)
            KubernetesObject(f"{name}-smoke-tests", network_policies.smoke_tests(plan, args.access), inside)
        if plan.fills_bucket:
            KubernetesObject(f"{name}-weights-fills", network_policies.weights_fills(plan, args.access), inside)
        if plan.collects_metrics:
            KubernetesObject(f"{name}-metrics", pod_monitoring(plan.name), inside)
        if plan.host_access:
            policy = KubernetesObject(
                f"{name}-host-access",
                host_access.admission_policy(plan, plan.host_access),
                pulumi.ResourceOptions(parent=self),
            )
            KubernetesObject(
                f"{name}-host-access-binding",
                host_access.binding(plan),
                # The binding names its policy by a string.
                pulumi.ResourceOptions(parent=self, depends_on=[policy, self.resource]),
            )
        self.register_outputs({})
