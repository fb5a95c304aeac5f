"""Decides what each accelerator node pool is made of."""

from catalog import CapacityKind, FabricMode, GpuDriverVersion
from catalog.google import google_platform
from config.cluster import Provided
from config.node_pools import ReservationCapacity
from config.settings import Settings
from planning.capacity import check_capacity, max_run_seconds
from planning.errors import Findings
from planning.plan import (
    NodePoolPlan,
    PlacementPlan,
    PoolUse,
)
from planning.pools import ResolvedPool


def plan_node_pools(
    settings: Settings, pools: tuple[ResolvedPool, ...], prefix: str, findings: Findings
) -> tuple[NodePoolPlan, ...]:
    """One plan for each pool; what is wrong with it becomes findings.

    Their `nodes` are the least there can be, until `begin_with` knows what is put on them.
    """
    names = [pool.name for pool in settings.node_pools]
    for index, name in enumerate(names):
        if name in names[:index]:
            findings.refuse(f"nodePools[{index}].name", f"{name!r} names two pools", "Write another name")
    return tuple(_plan_pool(pool, settings, prefix, findings) for pool in pools)


def begin_with(pools: tuple[NodePoolPlan, ...], uses: tuple[PoolUse, ...]) -> tuple[NodePoolPlan, ...]:
    """The same pools with the nodes they are made with: as many as the models need, so that none waits for the
    autoscaler; none where Google brings them later."""
    needed = {use.pool: len(use.used) for use in uses}
    return tuple(_begin(pool, needed[pool.name]) for pool in pools)


def _begin(pool: NodePoolPlan, needed: int) -> NodePoolPlan:
    if pool.waits:
        return pool.model_copy(update={"nodes": 0, "min_nodes": 0, "max_nodes": 0})
    if pool.provisioning is CapacityKind.FLEX_START:
        return pool.model_copy(update={"nodes": 0})
    return pool.model_copy(update={"nodes": min(max(needed, pool.min_nodes), pool.max_nodes)})


def _plan_pool(pool: ResolvedPool, settings: Settings, prefix: str, findings: Findings) -> NodePoolPlan:
    check_capacity(pool, settings.project, findings)
    _check_zone(pool, findings)
    _check_options(pool, findings)
    return _pool(pool, prefix, exists=settings.cluster.provides(Provided.NODE_POOLS))


def _pool(pool: ResolvedPool, prefix: str, *, exists: bool) -> NodePoolPlan:
    wanted, accelerator, machine = pool.settings, pool.accelerator, pool.machine
    flexible = pool.kind is CapacityKind.FLEX_START
    reservation = wanted.capacity if isinstance(wanted.capacity, ReservationCapacity) else None
    labels = google_platform().dranet.node_labels if pool.by_dranet else {}
    return NodePoolPlan(
        name=wanted.name,
        exists=exists,
        machine_type=machine.name,
        zone=wanted.zone,
        nodes=wanted.nodes.min,
        min_nodes=wanted.nodes.min,
        max_nodes=wanted.nodes.max,
        waits=reservation is not None and not reservation.active,
        provisioning=pool.kind,
        reservation=reservation,
        max_run_seconds=max_run_seconds(wanted),
        placement=_placement(pool, prefix),
        gpu_type=accelerator.gke_label,
        gpus_per_node=machine.gpus,
        gpu_driver_version=pool.driver,
        max_pods_per_node=wanted.max_pods_per_node or accelerator.nodes.max_pods_per_node,
        boot_disk_type=wanted.boot_disk_type or accelerator.boot_disk.default,
        boot_disk_size_gib=wanted.boot_disk_size_gib,
        secondary_boot_disk=wanted.secondary_boot_disk,
        image_streaming=wanted.image_streaming,
        local_ssds=pool.local_ssds,
        huge_pages=accelerator.nodes.huge_pages,
        secure_boot=accelerator.nodes.secure_boot_allowed,
        auto_repair=not flexible if wanted.auto_repair is None else wanted.auto_repair,
        upgrade=None if flexible else wanted.surge,
        labels={**accelerator.nodes.labels, **labels},
        taints=accelerator.nodes.taints,
        uses_fabric=pool.mode is not None,
        accelerator_network_profile="auto" if pool.mode is FabricMode.ACCELERATOR_NETWORK_PROFILE else None,
    )


def _placement(pool: ResolvedPool, prefix: str) -> PlacementPlan | None:
    topology = pool.accelerator.nodes.accelerator_topology
    if topology:
        return PlacementPlan(policy=f"{prefix}-{pool.name}", accelerator_topology=topology)
    return PlacementPlan(policy=None, accelerator_topology=None) if pool.settings.compact_placement else None


def _check_options(pool: ResolvedPool, findings: Findings) -> None:
    wanted, path = pool.settings, pool.path
    if wanted.boot_disk_type and wanted.boot_disk_type not in pool.accelerator.boot_disk.allowed:
        findings.refuse(
            f"{path}.bootDiskType",
            f"{pool.machine.name} does not boot from {wanted.boot_disk_type}",
            f"Write one of {', '.join(pool.accelerator.boot_disk.allowed)}",
        )
    if wanted.secondary_boot_disk and not wanted.image_streaming:
        findings.refuse(
            f"{path}.secondaryBootDisk",
            "a cache of container images is read by image streaming, which is off",
            f"Write imageStreaming: true in {path}",
        )
    modes = pool.fabric.modes
    if wanted.fabric and wanted.fabric not in modes:
        findings.refuse(
            f"{path}.fabric",
            f"{pool.machine.name} does not offer {wanted.fabric}",
            f"Write one of {', '.join(modes)}" if modes else "Leave fabric out: its nodes have no NICs but their own",
        )
    elif wanted.fabric is FabricMode.ACCELERATOR_NETWORK_PROFILE:
        findings.warn(
            f"{path}.fabric",
            "a pool whose networks Google makes was seen to hang for ever when it is deleted; dranet with networks of "
            "the stack's own does not",
        )
    if pool.driver is GpuDriverVersion.DISABLED:
        findings.warn(
            f"{path}.driverVersion", "no driver is installed: until you install one, its GPUs cannot be asked for"
        )


def _check_zone(pool: ResolvedPool, findings: Findings) -> None:
    """Zone lists age: one that is not sure to be whole can only warn."""
    offered = pool.accelerator.availability_of(pool.machine)
    if pool.settings.zone in offered.zones:
        return
    what = f"{pool.machine.name} is not known to be offered in {pool.settings.zone} (list of {offered.as_of})"
    if offered.certain:
        findings.refuse(f"{pool.path}.zone", what, f"Write one of {', '.join(offered.zones)}")
    else:
        known = offered.zones or [f"some zone of {region}" for region in offered.regions_without_known_zone]
        findings.warn(f"{pool.path}.zone", f"{what}; known are {', '.join(known) or 'none'}")
