"""Decides which nodes keep weights and compiled kernels, and how much of their local SSDs that may be."""

from math import floor
from pathlib import PurePosixPath

from catalog.cold_start import cold_start
from config.settings import Settings
from planning.errors import Findings
from planning.plan import ModelServerPlan, NodeCachePlan
from planning.pools import ResolvedPool
from planning.serving.resources import KERNELS_GIB, pods_disk_gib
from planning.serving.weights import cache_root

NODES_NAMESPACE = "kube-system"
"""Where GKE's own DaemonSets for nodes are; no server is in it."""


def plan_node_caches(
    settings: Settings, pools: tuple[ResolvedPool, ...], models: tuple[ModelServerPlan, ...], findings: Findings
) -> tuple[NodeCachePlan, ...]:
    """One for each pool with a model that is kept there. Any node may get any model of its pool, so it has room for
    all of them, and for the volumes of its pods beside."""
    paths = {wanted.name: f"models[{index}]" for index, wanted in enumerate(settings.models)}
    plans: list[NodeCachePlan] = []
    for pool in pools:
        here = [model for model in models if model.node_pool == pool.name]
        kept = [model for model in here if model.weights.node_cache]
        if not kept:
            continue
        rooms = _rooms(kept)
        bound, free = sum(rooms.values()), floor(pods_disk_gib(pool)) - _volumes(pool, here)
        if bound > free:
            findings.refuse(
                f"{paths[kept[-1].name]}.weights",
                f"the nodes of pool {pool.name} keep {bound} GiB for {', '.join(rooms)}, and {max(0, free)} GiB of "
                "their local SSDs are free",
                "Write kind: hub for a model that seldom starts, or give it a pool of its own",
            )
        plans.append(
            NodeCachePlan(
                name=f"node-cache-{pool.name}",
                namespace=NODES_NAMESPACE,
                image=kept[0].image,
                root=cache_root(),
                local_ssd=cold_start().node_cache.local_ssd,
                folders=tuple(sorted(rooms)),
                bound_gib=bound,
                kernels_gib=KERNELS_GIB,
                node_pools=(pool.name,),
                taints=pool.accelerator.nodes.taints,
            )
        )
    return tuple(plans)


def _rooms(models: list[ModelServerPlan]) -> dict[str, int]:
    """GiB of each folder by its name. Servers that fetch the same share one copy."""
    rooms: dict[str, dict[tuple[str, ...], int]] = {}
    for model in models:
        use = model.weights.node_cache
        if use:
            copies = rooms.setdefault(PurePosixPath(use.host_path).name, {})
            copies[use.repositories] = max(copies.get(use.repositories, 0), use.room_gib)
    return {name: sum(copies.values()) + KERNELS_GIB for name, copies in rooms.items()}


def _volumes(pool: ResolvedPool, models: list[ModelServerPlan]) -> int:
    """GiB of the volumes of a node's pods, whichever models they are."""
    gpus = pool.machine.gpus
    return max(model.resources.ephemeral_storage_gib * (gpus // model.shape.gpus_per_node) for model in models)
