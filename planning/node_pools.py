"""Decides what each accelerator node pool is made of."""

from catalog import ACCELERATORS, Accelerator, CapacityKind, FabricMode, GpuDriverVersion, LocalSsdMode, MachineType
from catalog.google import google_platform
from config.cluster import Provided
from config.node_pools import NodePoolSettings, ReservationCapacity
from config.settings import Settings
from planning.capacity import check_capacity, max_run_seconds
from planning.errors import Findings
from planning.plan import (
    NodePoolPlan,
    PlacementPlan,
    PoolUse,
    Provisioning,
    ReservationPlan,
    Taint,
    UpgradePlan,
)


def plan_node_pools(settings: Settings, prefix: str, findings: Findings) -> tuple[NodePoolPlan, ...]:
    """One plan for each pool that can be obtained as it is asked for; the others become findings.

    Their `nodes` are the least there can be, until `begin_with` knows what is put on them.
    """
    names = [pool.name for pool in settings.node_pools]
    for index, name in enumerate(names):
        if name in names[:index]:
            findings.refuse(f"nodePools[{index}].name", f"{name!r} names two pools", "Write another name")
    plans = (_plan_pool(pool, index, settings, prefix, findings) for index, pool in enumerate(settings.node_pools))
    return tuple(plan for plan in plans if plan is not None)


def begin_with(pools: tuple[NodePoolPlan, ...], uses: tuple[PoolUse, ...]) -> tuple[NodePoolPlan, ...]:
    """The same pools with the nodes they are made with: as many as the models need, so that none waits for the
    autoscaler; none where Google brings them later."""
    needed = {use.pool: len(use.used) for use in uses}
    return tuple(_begin(pool, needed[pool.name]) for pool in pools)


def machine_of(pool: NodePoolSettings) -> tuple[Accelerator, MachineType]:
    """The accelerator of a pool and the machine type that was asked for, or its usual one. Raises KeyError."""
    accelerator = ACCELERATORS[pool.accelerator]
    return accelerator, accelerator.machine_type(pool.machine_type or accelerator.default_machine_type)


def driver_of(pool: NodePoolSettings) -> GpuDriverVersion:
    return pool.driver_version or ACCELERATORS[pool.accelerator].driver.default


def mode_of(pool: NodePoolSettings) -> FabricMode | None:
    """How the pods of a pool get the NICs between nodes; None if there are none. Raises KeyError."""
    accelerator, machine = machine_of(pool)
    modes = accelerator.fabric_of(machine).modes
    return pool.fabric if pool.fabric in modes else modes[0] if modes else None


def taints_of(accelerator: Accelerator) -> tuple[Taint, ...]:
    return tuple(
        Taint(key=taint.key, value=taint.value, effect=taint.effect.value) for taint in accelerator.nodes.taints
    )


def _begin(pool: NodePoolPlan, needed: int) -> NodePoolPlan:
    if pool.waits:
        return pool.model_copy(update={"nodes": 0, "min_nodes": 0, "max_nodes": 0})
    if pool.provisioning is Provisioning.FLEX_START:
        return pool.model_copy(update={"nodes": 0})
    return pool.model_copy(update={"nodes": min(max(needed, pool.min_nodes), pool.max_nodes)})


def _plan_pool(
    pool: NodePoolSettings, index: int, settings: Settings, prefix: str, findings: Findings
) -> NodePoolPlan | None:
    path = f"nodePools[{index}]"
    try:
        accelerator, machine = machine_of(pool)
    except KeyError:
        legal = ", ".join(machine.name for machine in ACCELERATORS[pool.accelerator].machine_types)
        findings.refuse(
            f"{path}.machineType",
            f"{pool.machine_type!r} is no machine with {ACCELERATORS[pool.accelerator].title}",
            f"Write one of {legal}",
        )
        return None
    if not pool.zone.startswith(f"{settings.region}-"):
        findings.refuse(
            f"{path}.zone", f"{pool.zone} is not in region {settings.region}", "Write a zone of that region"
        )
    if not check_capacity(pool, path, accelerator, machine, settings.project, findings):
        return None
    _check_zone(pool, path, accelerator, machine, findings)
    _check_options(pool, path, accelerator, machine, findings)
    exists = settings.cluster.provides(Provided.NODE_POOLS)
    return _pool(pool, accelerator, machine, prefix, exists=exists)


def _pool(
    pool: NodePoolSettings, accelerator: Accelerator, machine: MachineType, prefix: str, *, exists: bool
) -> NodePoolPlan:
    kind, google, mode = CapacityKind(pool.capacity.kind), google_platform(), mode_of(pool)
    by_google = mode is FabricMode.ACCELERATOR_NETWORK_PROFILE
    labels = google.dranet.node_labels if mode in (FabricMode.DRANET, FabricMode.ACCELERATOR_NETWORK_PROFILE) else {}
    return NodePoolPlan(
        name=pool.name,
        exists=exists,
        machine_type=machine.name,
        zone=pool.zone,
        nodes=pool.nodes.min,
        min_nodes=pool.nodes.min,
        max_nodes=pool.nodes.max,
        waits=isinstance(pool.capacity, ReservationCapacity) and not pool.capacity.active,
        provisioning=Provisioning(kind.value),
        reservation=_reservation(pool.capacity) if isinstance(pool.capacity, ReservationCapacity) else None,
        max_run_seconds=max_run_seconds(pool),
        placement=_placement(pool, accelerator, prefix),
        gpu_type=accelerator.gke_label,
        gpus_per_node=machine.gpus,
        gpu_driver_version=driver_of(pool),
        max_pods_per_node=pool.max_pods_per_node or accelerator.nodes.max_pods_per_node,
        boot_disk_type=pool.boot_disk_type or accelerator.boot_disk.default,
        boot_disk_size_gib=pool.boot_disk_size_gib,
        secondary_boot_disk=pool.secondary_boot_disk,
        image_streaming=pool.image_streaming,
        local_ssds=machine.local_ssd.count if machine.local_ssd.mode is LocalSsdMode.FIXED else 0,
        huge_pages=accelerator.nodes.huge_pages,
        secure_boot=accelerator.nodes.secure_boot_allowed,
        auto_repair=kind is not CapacityKind.FLEX_START if pool.auto_repair is None else pool.auto_repair,
        upgrade=_upgrade(pool, kind),
        labels={**accelerator.nodes.labels, **labels},
        taints=taints_of(accelerator),
        uses_fabric=mode is not None,
        accelerator_network_profile="auto" if by_google else None,
    )


def _upgrade(pool: NodePoolSettings, kind: CapacityKind) -> UpgradePlan | None:
    if kind is CapacityKind.FLEX_START:
        return None
    return UpgradePlan(max_surge=pool.surge.max_surge, max_unavailable=pool.surge.max_unavailable)


def _reservation(capacity: ReservationCapacity) -> ReservationPlan:
    path = capacity.name
    if capacity.block:
        path += f"/reservationBlocks/{capacity.block}"
    if capacity.sub_block:
        path += f"/reservationSubBlocks/{capacity.sub_block}"
    return ReservationPlan(project=capacity.project, path=path)


def _placement(pool: NodePoolSettings, accelerator: Accelerator, prefix: str) -> PlacementPlan | None:
    topology = accelerator.nodes.accelerator_topology
    if topology:
        return PlacementPlan(policy=f"{prefix}-{pool.name}", accelerator_topology=topology)
    return PlacementPlan(policy=None, accelerator_topology=None) if pool.compact_placement else None


def _check_options(
    pool: NodePoolSettings, path: str, accelerator: Accelerator, machine: MachineType, findings: Findings
) -> None:
    if pool.boot_disk_type and pool.boot_disk_type not in accelerator.boot_disk.allowed:
        findings.refuse(
            f"{path}.bootDiskType",
            f"{machine.name} does not boot from {pool.boot_disk_type}",
            f"Write one of {', '.join(accelerator.boot_disk.allowed)}",
        )
    if pool.secondary_boot_disk and not pool.image_streaming:
        findings.refuse(
            f"{path}.secondaryBootDisk",
            "a cache of container images is read by image streaming, which is off",
            f"Write imageStreaming: true in {path}",
        )
    modes = accelerator.fabric_of(machine).modes
    if pool.fabric and pool.fabric not in modes:
        findings.refuse(
            f"{path}.fabric",
            f"{machine.name} does not offer {pool.fabric}",
            f"Write one of {', '.join(modes)}" if modes else "Leave fabric out: its nodes have no NICs but their own",
        )
    elif pool.fabric is FabricMode.ACCELERATOR_NETWORK_PROFILE:
        findings.warn(
            f"{path}.fabric",
            "a pool whose networks Google makes was seen to hang for ever when it is deleted; dranet with networks of "
            "the stack's own does not",
        )
    if driver_of(pool) is GpuDriverVersion.DISABLED:
        findings.warn(
            f"{path}.driverVersion", "no driver is installed: until you install one, its GPUs cannot be asked for"
        )


def _check_zone(
    pool: NodePoolSettings, path: str, accelerator: Accelerator, machine: MachineType, findings: Findings
) -> None:
    """Zone lists age: one that is not sure to be whole can only warn."""
    offered = accelerator.availability_of(machine)
    if pool.zone in offered.zones:
        return
    what = f"{machine.name} is not known to be offered in {pool.zone} (list of {offered.as_of})"
    if offered.certain:
        findings.refuse(f"{path}.zone", what, f"Write one of {', '.join(offered.zones)}")
    else:
        known = offered.zones or [f"some zone of {region}" for region in offered.regions_without_known_zone]
        findings.warn(f"{path}.zone", f"{what}; known are {', '.join(known) or 'none'}")
