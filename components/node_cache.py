"""The cache of a pool's nodes, which outlives the pods that use it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.faces import AnyNodePool
from components.kubernetes_object import KubernetesObject
from components.manifests.node_cache import node_cache
from planning.plan import NodeCachePlan


@dataclass(frozen=True, kw_only=True)
class NodeCacheArgs:
    plan: NodeCachePlan
    node_pool: AnyNodePool
    images: Sequence[pulumi.Resource]
    """What must be there before a pod pulls an image."""


class NodeCache(pulumi.ComponentResource):
    """The DaemonSet, on the nodes of one pool."""

    def __init__(self, name: str, args: NodeCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:NodeCache", name, None, opts)
        # The rollout of a DaemonSet means something only once the nodes exist.
        after_nodes = pulumi.ResourceOptions(parent=self, depends_on=[args.node_pool.ready, *args.images])
        KubernetesObject(f"{name}-daemon", node_cache(args.plan), after_nodes)
        self.register_outputs({})
