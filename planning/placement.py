"""Decides which node each replica lands on, as the scheduler could, and refuses what the pools cannot hold."""

from collections.abc import Iterable

from config.settings import Settings
from planning.errors import Findings
from planning.plan import ModelServerPlan, NodePoolPlan, NodeUse, PoolUse


def place(
    settings: Settings,
    pools: tuple[NodePoolPlan, ...],
    models: Iterable[ModelServerPlan],
    findings: Findings,
) -> tuple[PoolUse, ...]:
    """How every pool is filled.

    Replicas go largest first to the fullest node that still holds them, which is how little as possible is left over.
    """
    by_pool: dict[str, list[ModelServerPlan]] = {pool.name: [] for pool in pools}
    for model in models:
        by_pool[model.node_pool].append(model)
    paths = {pool.name: f"nodePools[{index}].nodes" for index, pool in enumerate(settings.node_pools)}
    return tuple(_fill(pool, by_pool[pool.name], paths[pool.name], findings) for pool in pools)


def on_nodes(models: tuple[ModelServerPlan, ...], pools: tuple[NodePoolPlan, ...]) -> tuple[ModelServerPlan, ...]:
    """The models that are deployed: not those whose pool waits for its reservation, which would wait in vain."""
    waiting = {pool.name for pool in pools if pool.waits}
    return tuple(model for model in models if model.node_pool not in waiting)


def _fill(pool: NodePoolPlan, models: list[ModelServerPlan], path: str, findings: Findings) -> PoolUse:
    nodes: list[dict[str, int]] = []
    free: dict[int, list[int]] = {}
    """Nodes that have been started, by the number of their free GPUs."""
    for model in sorted(models, key=lambda model: (-model.shape.nodes, -model.shape.gpus_per_node, model.name)):
        shape = model.shape
        for _ in range(model.replicas):
            if shape.nodes > 1:
                nodes += [{model.name: pool.gpus_per_node} for _ in range(shape.nodes)]
                continue
            fitting = min((size for size in free if size >= shape.gpus_per_node and free[size]), default=None)
            if fitting is None:
                nodes.append({})
                node, left = len(nodes) - 1, pool.gpus_per_node
            else:
                node, left = free[fitting].pop(), fitting
            nodes[node][model.name] = nodes[node].get(model.name, 0) + shape.gpus_per_node
            free.setdefault(left - shape.gpus_per_node, []).append(node)
    if len(nodes) > pool.max_nodes:
        _refuse(pool, models, len(nodes), path, findings)
    used = sorted(nodes, key=lambda gpus: -sum(gpus.values()))
    return PoolUse(
        pool=pool.name,
        gpus_per_node=pool.gpus_per_node,
        min_nodes=pool.min_nodes,
        nodes=pool.max_nodes,
        used=tuple(NodeUse(gpus=gpus) for gpus in used),
    )


def _refuse(pool: NodePoolPlan, models: list[ModelServerPlan], needed: int, path: str, findings: Findings) -> None:
    gpus = sum(model.replicas * model.shape.gpus for model in models)
    largest = sorted(models, key=lambda model: -model.replicas * model.shape.gpus)[:3]
    asked = ", ".join(f"{model.name} {model.replicas} x {model.shape.gpus}" for model in largest)
    findings.refuse(
        path,
        f"the models need {gpus} GPUs on {needed} nodes and the pool has {pool.max_nodes * pool.gpus_per_node} on "
        f"{pool.max_nodes} (largest: {asked})",
        f"Write nodes: {f'{{min: {pool.min_nodes}, max: {needed}}}' if pool.scales else needed}, or fewer replicas",
    )
