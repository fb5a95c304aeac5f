"""Decides what each accelerator node pool is made of."""

from catalog import ACCELERATORS, Accelerator, CapacityKind, LocalSsdMode, MachineType
from config.node_pools import NodePoolSettings
from config.settings import Settings
from planning.errors import Findings
from planning.plan import NodePoolPlan, Provisioning, Taint

_PROVISIONING = {CapacityKind.ON_DEMAND: Provisioning.ON_DEMAND, CapacityKind.SPOT: Provisioning.SPOT}


def plan_node_pools(settings: Settings, findings: Findings) -> tuple[NodePoolPlan, ...]:
    """One plan for each pool that can be had as it is asked for; the others become findings."""
    names = [pool.name for pool in settings.node_pools]
    for index, name in enumerate(names):
        if name in names[:index]:
            findings.refuse(f"nodePools[{index}].name", f"{name!r} names two pools", "Write another name")
    plans = (_plan_pool(pool, index, settings, findings) for index, pool in enumerate(settings.node_pools))
    return tuple(plan for plan in plans if plan is not None)


def machine_of(pool: NodePoolSettings) -> tuple[Accelerator, MachineType]:
    """The accelerator of a pool and the machine type that was asked for, or its usual one. Raises KeyError."""
    accelerator = ACCELERATORS[pool.accelerator]
    return accelerator, accelerator.machine_type(pool.machine_type or accelerator.default_machine_type)


def _plan_pool(pool: NodePoolSettings, index: int, settings: Settings, findings: Findings) -> NodePoolPlan | None:
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
    capacity = CapacityKind(pool.capacity.kind)
    if capacity not in machine.capacity:
        findings.refuse(
            f"{path}.capacity.kind",
            f"Google does not offer {machine.name} as {capacity}",
            f"Write one of {', '.join(kind for kind in machine.capacity if kind in _PROVISIONING)}",
        )
        return None
    _check_zone(pool, path, accelerator, machine, findings)
    return NodePoolPlan(
        name=pool.name,
        machine_type=machine.name,
        zone=pool.zone,
        nodes=pool.nodes,
        provisioning=_PROVISIONING[capacity],
        gpu_type=accelerator.gke_label,
        gpus_per_node=machine.gpus,
        gpu_driver_version=accelerator.driver.default,
        max_pods_per_node=accelerator.nodes.max_pods_per_node,
        boot_disk_type=accelerator.boot_disk.default,
        boot_disk_size_gib=pool.boot_disk_size_gib,
        local_ssds=machine.local_ssd.count if machine.local_ssd.mode is LocalSsdMode.FIXED else 0,
        taints=taints_of(accelerator),
        uses_fabric=bool(accelerator.fabric_of(machine).networks),
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
        findings.warn(f"{path}.zone", f"{what}; known are {', '.join(offered.zones) or 'none'}")


def taints_of(accelerator: Accelerator) -> tuple[Taint, ...]:
    return tuple(
        Taint(key=taint.key, value=taint.value, effect=taint.effect.value) for taint in accelerator.nodes.taints
    )
