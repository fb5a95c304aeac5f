"""Decides, once all models are placed, how updates and drains go: with a spare replica, one less, or not at all."""

from dataclasses import dataclass, replace

from config.settings import Settings
from planning.errors import Findings
from planning.plan import ModelServerPlan, PoolUse, RolloutPlan, SchedulingPlan


def plan_availability(
    settings: Settings,
    models: tuple[ModelServerPlan, ...],
    pool_use: tuple[PoolUse, ...],
    findings: Findings,
) -> tuple[ModelServerPlan, ...]:
    """The same models with their rollout, place and disruption budget."""
    uses = {use.pool: use for use in pool_use}
    paths = {wanted.name: f"models[{index}]" for index, wanted in enumerate(settings.models)}
    planned: list[ModelServerPlan] = []
    for model in models:
        rollout = _rollout(model, uses[model.node_pool])
        if model.replicas == 1 and not rollout.max_surge:
            findings.warn(
                paths[model.name],
                f"an update of {model.name} is an outage of about {model.load.total:.0f} s: its one replica goes "
                f"before the next one starts, since pool {model.node_pool} has no room for both",
            )
        spread = _can_spread(model, [other for other in models if other.node_pool == model.node_pool], uses)
        if model.replicas > 1 and not model.is_group and not spread:
            findings.warn(
                paths[model.name],
                f"the {model.replicas} replicas of {model.name} may all be on one node, since pool "
                f"{model.node_pool} has no room to keep them apart; losing that node is an outage",
            )
        planned.append(
            model.model_copy(
                update={
                    "rollout": rollout,
                    "scheduling": SchedulingPlan(shares_node=model.scheduling.shares_node, spread=spread),
                    "min_available_pods": _min_available(model),
                }
            )
        )
    return tuple(planned)


def _rollout(model: ModelServerPlan, use: PoolUse) -> RolloutPlan:
    """One more replica where the pool has room for it, else one less at a time."""
    free_nodes = use.nodes - len(use.used)
    if model.is_group:
        room = free_nodes >= model.shape.nodes
    else:
        gaps = [use.gpus_per_node - sum(node.gpus.values()) for node in use.used]
        room = free_nodes > 0 or any(gap >= model.shape.gpus_per_node for gap in gaps)
    return RolloutPlan(max_surge=1, max_unavailable=0) if room else RolloutPlan(max_surge=0, max_unavailable=1)


def _min_available(model: ModelServerPlan) -> int | None:
    """Of all pods but one. Evicting one pod of a group takes the whole group down, and until all of its pods are back
    no other pod may be evicted; so one replica at a time is disturbed, whatever its size."""
    return None if model.replicas == 1 else model.replicas * model.shape.nodes - 1


@dataclass(frozen=True)
class _Node:
    free: int
    """GPUs."""


def _can_spread(model: ModelServerPlan, neighbours: list[ModelServerPlan], uses: dict[str, PoolUse]) -> bool:
    """Whether each replica can have a node of its own and everything else of the pool still fits."""
    use = uses[model.node_pool]
    size = model.shape.gpus_per_node
    if model.is_group or model.replicas < 2:
        return False
    if size == use.gpus_per_node:
        return True
    nodes = [_Node(use.gpus_per_node - (size if index < model.replicas else 0)) for index in range(use.nodes)]
    if model.replicas > use.nodes:
        return False
    others = sorted((other for other in neighbours if other is not model), key=lambda other: -other.shape.gpus_per_node)
    for other in others:
        for _ in range(other.replicas * other.shape.nodes):
            fitting = [i for i, node in enumerate(nodes) if node.free >= other.shape.gpus_per_node]
            if not fitting:
                return False
            tightest = min(fitting, key=lambda i: nodes[i].free)
            nodes[tightest] = replace(nodes[tightest], free=nodes[tightest].free - other.shape.gpus_per_node)
    return True
