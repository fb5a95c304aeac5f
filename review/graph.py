"""The stack as pictures show it: networks, cluster, pools and models, with what happens to each."""

from collections.abc import Mapping
from dataclasses import dataclass

from review.events import Action
from review.plans import ModelView, PlanView, PoolView


@dataclass(frozen=True)
class Node:
    key: str
    """An identifier of letters, digits and underscores."""
    label: str
    detail: str
    action: Action
    needs: tuple[str, ...]
    """The keys of the nodes that it needs."""
    layer: int


def stack_graph(
    before: PlanView | None, after: PlanView | None, actions: Mapping[tuple[str, str], Action]
) -> tuple[Node, ...]:
    """The nodes, each after those that it needs. `actions` are by a component's kind and name."""
    plans = [plan for plan in (after, before) if plan]
    if not plans:
        return ()

    def action(kind: str, name: str) -> Action:
        return actions.get((kind, name), Action.SAME)

    nodes = [
        Node("network", "network", "VPC, subnetwork, NAT", action("ClusterNetwork", "network"), (), 0),
        Node("cluster", "cluster", plans[0].region, action("GkeCluster", "gke"), ("network",), 1),
    ]
    pools = {pool.name: pool for plan in reversed(plans) for pool in plan.node_pools}
    models = {model.name: model for plan in reversed(plans) for model in plan.models}
    fabric = action("Fabric", "fabric")
    with_fabric = [pool for pool in pools.values() if pool.uses_fabric]
    if with_fabric or fabric is not Action.SAME:
        nodes.append(Node("fabric", "fabric", "VPCs of the extra NICs", fabric, (), 1))
    nodes += [_pool(pool, action("AcceleratorNodePool", pool.name)) for pool in pools.values()]
    for model in models.values():
        happens = action("VllmServer", model.name)
        nodes.append(_model(model, happens, (key_of("pool", model.node_pool),)))
    return tuple(nodes)


def key_of(kind: str, name: str) -> str:
    return f"{kind}_" + "".join(character if character.isalnum() else "_" for character in name)


def _pool(pool: PoolView, action: Action) -> Node:
    needs = ("cluster", "fabric") if pool.uses_fabric else ("cluster",)
    return Node(key_of("pool", pool.name), pool.name, f"{pool.nodes} x {pool.machine_type}", action, needs, 2)


def _model(model: ModelView, action: Action, needs: tuple[str, ...]) -> Node:
    detail = f"{model.shape}, {model.replicas} x"
    return Node(key_of("model", model.name), model.name, detail, action, needs, 3)
