"""Decides what is laid on accelerator nodes before a server runs there: NCCL plugins, daemons, the DRA driver."""

from catalog import CHART_RELEASES, NODE_DAEMONS, Taint
from catalog.workloads import workloads
from config.settings import Settings
from planning.plan import DraDriverPlan, NcclInstallerPlan, NodeDaemonPlan, NodePoolPlan
from planning.pools import ResolvedPool


def plan_installers(pools: tuple[ResolvedPool, ...], plans: tuple[NodePoolPlan, ...]) -> tuple[NcclInstallerPlan, ...]:
    """The installer of the stack's transport, if that has one."""
    release = pools[0].installer if pools else None
    if release is None:
        return ()
    names, taints = _where(pools, plans)
    return (
        NcclInstallerPlan(
            name=release.daemon_set,
            namespace=release.namespace,
            image=release.image,
            pause_image=release.pause_image,
            command=release.command,
            copies=release.copies,
            host_image=release.host_image,
            host_preparation=release.host_preparation,
            sysctls=release.sysctls,
            host_paths=release.host_paths,
            node_pools=names,
            taints=taints,
        ),
    )


def plan_daemons(pools: tuple[ResolvedPool, ...], plans: tuple[NodePoolPlan, ...]) -> tuple[NodeDaemonPlan, ...]:
    """Device injectors, and whatever else the transport needs on each node."""
    if not pools:
        return ()
    names, taints = _where(pools, plans)
    releases = (NODE_DAEMONS[name] for name in pools[0].fabric.node_daemons)
    return tuple(
        NodeDaemonPlan(
            name=release.daemon_set,
            namespace=release.namespace,
            image=release.image,
            command=release.command,
            environment=release.environment,
            host_paths=release.host_paths,
            memory_mib=release.memory_mib or workloads().daemon.memory_mib,
            huge_pages_mib=release.huge_pages_mib,
            health_port=release.health_port,
            node_pools=names,
            taints=taints,
        )
        for release in releases
    )


def plan_dra_driver(settings: Settings, pools: tuple[ResolvedPool, ...]) -> DraDriverPlan | None:
    """NVIDIA's DRA driver, where an accelerator of the stack joins its nodes by NVLink."""
    with_driver = [pool for pool in pools if pool.accelerator.nodes.dra_driver is not None]
    if not with_driver:
        return None
    release = CHART_RELEASES[str(with_driver[0].accelerator.nodes.dra_driver)]
    taints = dict.fromkeys(taint for pool in with_driver for taint in pool.accelerator.nodes.taints)
    return DraDriverPlan(
        name=release.name,
        namespace=release.namespace,
        chart=settings.dra_driver.chart or release.reference,
        version=release.version,
        values=release.values,
        gpu_types=tuple(dict.fromkeys(pool.accelerator.gke_label for pool in with_driver)),
        taints=tuple(taints),
        # On each node the driver itself and the daemon of one ComputeDomain, and once the controller.
        pods=2 * sum(pool.settings.nodes.max for pool in with_driver) + 1,
    )


def _where(
    pools: tuple[ResolvedPool, ...], plans: tuple[NodePoolPlan, ...]
) -> tuple[tuple[str, ...], tuple[Taint, ...]]:
    """The pools, and every taint that a node of them has."""
    names = tuple(pool.name for pool in pools)
    return names, tuple(dict.fromkeys(taint for plan in plans if plan.name in names for taint in plan.taints))
