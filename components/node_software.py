"""The software that a transport needs on its nodes: the installers of the NCCL plugin, and daemons beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.faces import AnyNodePool
from components.kubernetes_object import KubernetesObject
from components.manifests import nccl_installer, node_daemon
from planning.plan import NcclInstallerPlan, NodeDaemonPlan


@dataclass(frozen=True, kw_only=True)
class NodeSoftwareArgs:
    installers: Sequence[NcclInstallerPlan]
    daemons: Sequence[NodeDaemonPlan]
    node_pools: Sequence[AnyNodePool]
    images: Sequence[pulumi.Resource]
    """What must be there before a pod pulls an image."""


class NodeSoftware(pulumi.ComponentResource):
    """One DaemonSet for each, at the version that the catalogue names."""

    def __init__(self, name: str, args: NodeSoftwareArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:NodeSoftware", name, None, opts)
        manifests = {plan.name: nccl_installer.installer(plan) for plan in args.installers}
        manifests |= {plan.name: node_daemon.daemon(plan) for plan in args.daemons}
        # The rollout of a DaemonSet means something only once the nodes exist.
        ready = [*(pool.ready for pool in args.node_pools), *args.images]
        after_nodes = pulumi.ResourceOptions(parent=self, depends_on=ready)
        for daemon_set, manifest in manifests.items():
            KubernetesObject(f"{name}-{daemon_set}", manifest, after_nodes)
        self.register_outputs({})
