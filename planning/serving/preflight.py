"""Decides which pools are tested with NCCL over two nodes before a server uses them, and with what."""

from catalog import InstallerRelease
from catalog.diagnostic import DIAGNOSTICS, Diagnostic
from planning.fabric import FabricPool
from planning.plan import FabricPlan, NodePoolPlan, PreflightPlan
from planning.serving.namespaces import PREFLIGHT
from planning.serving.transport import group_environment, plan_transport

NODES = 2
_DEADLINE_SECONDS = 1800
"""For nodes that pull an image of some GiB, and a test of minutes."""


def plan_preflights(
    with_fabric: tuple[FabricPool, ...], fabric: FabricPlan | None, pools: tuple[NodePoolPlan, ...]
) -> tuple[PreflightPlan, ...]:
    """One for each pool that begins with two nodes of a fabric."""
    installer = with_fabric[0].installer if with_fabric else None
    if fabric is None or installer is None or installer.name not in DIAGNOSTICS:
        return ()
    return tuple(
        _preflight(fabric, pool, DIAGNOSTICS[installer.name], installer)
        for pool in pools
        if pool.uses_fabric and not pool.waits and pool.nodes >= NODES
    )


def _preflight(
    fabric: FabricPlan, pool: NodePoolPlan, diagnostic: Diagnostic, installer: InstallerRelease
) -> PreflightPlan:
    name, floor = f"nccl-{pool.name}", diagnostic.floor
    return PreflightPlan(
        name=name,
        namespace=PREFLIGHT,
        node_pool=pool.name,
        gpu_type=pool.gpu_type,
        gpus_per_node=pool.gpus_per_node,
        nodes=NODES,
        taints=pool.taints,
        image=diagnostic.image.reference,
        tested_with=f"{diagnostic.image.reference} and {installer.image.reference}",
        prepare=diagnostic.prepare,
        measure=diagnostic.measure,
        environment=group_environment(fabric),
        transport=plan_transport(fabric, name),
        deadline_seconds=_DEADLINE_SECONDS,
        floor_gbytes_per_second=floor.gbytes_per_second if floor else None,
        floor_source=floor.source if floor else None,
    )
