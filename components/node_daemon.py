"""A daemon that a transport needs on its nodes beside the NCCL plugin."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.given_node_pool import AnyNodePool
from components.kubernetes_object import KubernetesObject
from components.manifests import node_daemon as manifests
from planning.plan import NodeDaemonPlan


@dataclass(frozen=True, kw_only=True)
class NodeDaemonArgs:
    plan: NodeDaemonPlan
    node_pools: Sequence[AnyNodePool]


class NodeDaemon(pulumi.ComponentResource):
    """One DaemonSet, such as the injector that gives a pod's sidecar the node's GPU devices."""

    def __init__(self, name: str, args: NodeDaemonArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:NodeDaemon", name, None, opts)
        self.daemon_set = KubernetesObject(
            f"{name}-daemon",
            manifests.daemon(args.plan),
            # Its rollout means something only once the nodes are there.
            pulumi.ResourceOptions(parent=self, depends_on=list(args.node_pools)),
        )
        self.register_outputs({})
