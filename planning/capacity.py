"""Checks that a pool's machines can be obtained in the way, the number and the place that are asked for.

What Google would refuse after minutes, or answer by never bringing a node, is refused here with the key to change.
"""

from catalog import Accelerator, CapacityKind, MachineType
from catalog.google import google_platform
from config.node_pools import (
    FlexStartCapacity,
    NodePoolSettings,
    ReservationCapacity,
)
from planning.errors import Findings


def check_capacity(
    pool: NodePoolSettings,
    path: str,
    accelerator: Accelerator,
    machine: MachineType,
    project: str | None,
    findings: Findings,
) -> bool:
    """Whether Google offers the machine in that way at all; everything else that is wrong becomes findings."""
    kind = CapacityKind(pool.capacity.kind)
    if kind not in machine.capacity:
        findings.refuse(
            f"{path}.capacity.kind",
            f"Google does not offer {machine.name} as {kind}",
            f"Write one of {', '.join(machine.capacity)}",
        )
        return False
    if isinstance(pool.capacity, ReservationCapacity):
        _check_reservation(pool, pool.capacity, path, accelerator, machine, project, findings)
    if isinstance(pool.capacity, FlexStartCapacity):
        _check_run_duration(pool.capacity, path, findings)
    _check_bounds(pool, path, kind, accelerator, machine, findings)
    if pool.compact_placement:
        _check_placement(pool, path, kind, machine, findings)
    if kind is CapacityKind.FLEX_START and pool.auto_repair:
        findings.refuse(
            f"{path}.autoRepair",
            "GKE cannot remake a flexStart node, and refuses such a pool with auto-repair",
            "Leave autoRepair out",
        )
    if kind is CapacityKind.FLEX_START and "surge" in pool.model_fields_set:
        findings.refuse(
            f"{path}.surge",
            "GKE upgrades flexStart nodes by letting them run out and making new ones, so there is nothing to choose",
            "Leave surge out",
        )
    return True


def max_run_seconds(pool: NodePoolSettings) -> int | None:
    """How long a node may run. A flexStart node always has an end."""
    match pool.capacity:
        case FlexStartCapacity(max_run_duration_hours=hours):
            return 3600 * (hours or google_platform().flex_start_max_hours)
        case _:
            return None


def _check_reservation(
    pool: NodePoolSettings,
    reservation: ReservationCapacity,
    path: str,
    accelerator: Accelerator,
    machine: MachineType,
    project: str | None,
    findings: Findings,
) -> None:
    if accelerator.reservation_sub_block_required and reservation.sub_block is None:
        findings.refuse(
            f"{path}.capacity.subBlock",
            f"is missing: {machine.name} is reserved by sub-blocks, one NVLink domain each",
            "Write block: and subBlock: as `gcloud compute reservations sub-blocks list` names them",
        )
    if reservation.block and reservation.project not in (None, project):
        findings.refuse(
            f"{path}.capacity.block",
            f"names a block of a reservation that project {reservation.project} shares, which GKE does not take",
            "Leave block and subBlock out, or use a reservation of the stack's own project",
        )
    if pool.surge.max_surge:
        findings.warn(
            f"{path}.surge.maxSurge",
            f"an upgrade asks for {pool.surge.max_surge} machine(s) more than the pool has, and a full reservation has "
            "none",
        )
    if not reservation.active:
        findings.warn(
            f"{path}.capacity.active",
            f"the pool has no nodes, and its models are not deployed, until reservation {reservation.name} begins; "
            "then write active: true",
        )


def _check_run_duration(capacity: FlexStartCapacity, path: str, findings: Findings) -> None:
    most = google_platform().flex_start_max_hours
    if capacity.max_run_duration_hours and capacity.max_run_duration_hours > most:
        findings.refuse(
            f"{path}.capacity.maxRunDurationHours",
            f"{capacity.max_run_duration_hours} hours are more than the {most} that Google lets such a node run",
            f"Write at most {most}",
        )


def _check_bounds(
    pool: NodePoolSettings,
    path: str,
    kind: CapacityKind,
    accelerator: Accelerator,
    machine: MachineType,
    findings: Findings,
) -> None:
    nodes = pool.nodes
    if kind is CapacityKind.FLEX_START and not (nodes.min == 0 < nodes.max):
        findings.refuse(
            f"{path}.nodes",
            f"a flexStart pool begins with no nodes and gets them one by one, so it cannot hold {nodes.min} at least",
            f"Write nodes: {{min: 0, max: {max(1, nodes.max)}}}",
        )
    if not accelerator.nodes.autoscaling and nodes.min < nodes.max:
        findings.refuse(
            f"{path}.nodes", f"GKE does not autoscale {machine.name}", f"Write a number such as nodes: {nodes.max}"
        )
    topology = accelerator.nodes.accelerator_topology
    if topology and nodes.max > machine.nvlink_nodes:
        findings.refuse(
            f"{path}.nodes",
            f"{nodes.max} nodes are more than the {machine.nvlink_nodes} of one NVLink domain ({topology}), and a pool "
            "lies in one",
            f"Write at most {machine.nvlink_nodes}, and a second pool for the others",
        )


def _check_placement(
    pool: NodePoolSettings, path: str, kind: CapacityKind, machine: MachineType, findings: Findings
) -> None:
    key = f"{path}.compactPlacement"
    most = machine.compact_placement_max_nodes
    if most is None:
        findings.refuse(key, f"{machine.name} has no compact placement", "Leave compactPlacement out")
    elif pool.nodes.max > most:
        findings.refuse(
            f"{path}.nodes",
            f"compact placement takes at most {most} nodes of {machine.name}, not {pool.nodes.max}",
            f"Write at most {most}, or leave compactPlacement out",
        )
    if kind is CapacityKind.FLEX_START and not machine.flex_start_compact_placement:
        findings.refuse(key, f"{machine.name} by flexStart cannot be placed compactly", "Leave compactPlacement out")
    if kind is CapacityKind.RESERVATION:
        findings.warn(
            key, "the reservation decides where its machines stand; a policy beside it can leave nodes that never come"
        )
