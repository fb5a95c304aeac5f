"""Decides, once all models are placed, how updates and drains go: with a spare replica, one less, or not at all."""

from dataclasses import dataclass, replace

from config.settings import Settings
from planning.errors import Findings
from planning.plan import ModelServerPlan, PoolUse, SchedulingPlan
from planning.serving.lifecycle import waiting
from planning.serving.rollout import Sharing, share_places


def plan_availability(
    settings: Settings,
    models: tuple[ModelServerPlan, ...],
    pool_use: tuple[PoolUse, ...],
    findings: Findings,
) -> tuple[ModelServerPlan, ...]:
    """The same models with their rollout, place and disruption budget."""
    uses = {use.pool: use for use in pool_use}
    paths = {wanted.name: f"models[{index}]" for index, wanted in enumerate(settings.models)}
    shares = {
        model.name: sharing
        for use in pool_use
        for sharing in share_places([model for model in models if model.node_pool == use.pool], use)
        for model in sharing.models
    }
    planned: list[ModelServerPlan] = []
    for model in models:
        sharing = shares[model.name]
        spread = _can_spread(model, [other for other in models if other.node_pool == model.node_pool], uses)
        _warn(model, sharing, uses[model.node_pool], paths[model.name], findings)
        if model.replicas > 1 and not model.is_group and not spread:
            findings.warn(
                paths[model.name],
                f"the {model.replicas} replicas of {model.name} may all be on one node, since pool "
                f"{model.node_pool} has no room to keep them apart; losing that node is an outage",
            )
        planned.append(
            model.model_copy(
                update={
                    "rollout": sharing.rollout,
                    "lifecycle": waiting(model.lifecycle, sharing.wait_of(model)),
                    "scheduling": SchedulingPlan(shares_node=model.scheduling.shares_node, spread=spread),
                    "min_available_pods": _min_available(model),
                }
            )
        )
    return tuple(planned)


def _warn(model: ModelServerPlan, sharing: Sharing, use: PoolUse, path: str, findings: Findings) -> None:
    """Warns of an update that is an outage, and once of updates that wait for each other."""
    if model.replicas == 1 and not sharing.places:
        (alone,) = share_places([model], use)
        why = "keeps its spare room for updates of larger models" if alone.places else "has no room for both"
        findings.warn(
            path,
            f"an update of {model.name} is an outage of about {_update_seconds(model):.0f} s: its one replica goes "
            f"before the next one starts, since pool {use.pool} {why}",
        )
    if sharing.take_turns and model is sharing.models[0]:
        names = ", ".join(each.name for each in sharing.models)
        place = "one spare place" if sharing.places == 1 else f"{sharing.places} spare places"
        findings.warn(
            path,
            f"{names} share {place} of pool {use.pool}: updated all at once they go one after the other, and the "
            f"last may wait {max(map(sharing.wait_of, sharing.models))} s",
        )


def _update_seconds(model: ModelServerPlan) -> float:
    """What the new replica takes to start. Weights on the node are there already; the new command line is compiled."""
    return model.load.total - (model.load.fetch if model.weights.node_cache else 0.0)


def _min_available(model: ModelServerPlan) -> int | None:
    """The number of all pods but one; None with one replica.

    If one pod of a group is evicted, the whole group restarts, and until all of its pods are back no other pod may be
    evicted. So only one replica at a time is disturbed, whatever its size.
    """
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
