"""The fabric as pods see it: one Network and one GKENetworkParamSet for each extra NIC."""

from dataclasses import dataclass

import pulumi

from components.faces import AnyFabric
from components.kubernetes_object import KubernetesObject
from components.manifests import pod_networks as manifests


@dataclass(frozen=True, kw_only=True)
class PodNetworksArgs:
    fabric: AnyFabric


class PodNetworks(pulumi.ComponentResource):
    """Cluster-wide objects with the names that tools look for, such as `rdma-0`."""

    def __init__(self, name: str, args: PodNetworksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:PodNetworks", name, None, opts)
        for attachment in args.fabric.attachments:
            plan = attachment.plan
            if plan.device_mode is None:
                continue
            parameters = KubernetesObject(
                f"{name}-{plan.name}-parameters",
                manifests.parameter_set(
                    plan.name, plan.device_mode.value, attachment.network_name, attachment.subnetwork_name
                ),
                pulumi.ResourceOptions(parent=self),
            )
            KubernetesObject(
                f"{name}-{plan.name}",
                manifests.network(plan.name),
                # The Network names its parameters by a string, and must be deleted before them.
                pulumi.ResourceOptions(parent=self, depends_on=[parameters]),
            )
        self.register_outputs({})
