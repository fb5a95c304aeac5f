"""Puts a transport's NCCL plugin on the nodes that have the transport."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.given_node_pool import AnyNodePool
from components.kubernetes_object import KubernetesObject
from components.manifests import nccl_installer as manifests
from planning.plan import NcclInstallerPlan


@dataclass(frozen=True, kw_only=True)
class NcclInstallerArgs:
    plan: NcclInstallerPlan
    node_pools: Sequence[AnyNodePool]


class NcclInstaller(pulumi.ComponentResource):
    """One DaemonSet, pinned to the version the catalogue has tried."""

    def __init__(self, name: str, args: NcclInstallerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:NcclInstaller", name, None, opts)
        self.daemon_set = KubernetesObject(
            f"{name}-{args.plan.name}",
            manifests.installer(args.plan),
            # Its rollout means something only once the nodes are there.
            pulumi.ResourceOptions(parent=self, depends_on=list(args.node_pools)),
        )
        self.register_outputs({})
