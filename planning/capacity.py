"""Checks that a pool's machines can be obtained in the way, the number and the place that are asked for.

What Google would refuse after minutes, or answer by never bringing a node, is refused here with the key to change.
"""

from catalog import CapacityKind
from catalog.google import google_platform
from config.node_pools import (
    FlexStartCapacity,
    NodePoolSettings,
    ReservationCapacity,
)
from planning.errors import Findings
from planning.pools import ResolvedPool


def offered_pools(pools: tuple[ResolvedPool, ...], findings: Findings) -> tuple[ResolvedPool, ...]:
    """Those whose machines Google offers at all in the way that is asked for; the others become refusals."""
    for pool in pools:
        if pool.kind not in pool.machine.capacity:
            findings.refuse(
                f"{pool.path}.capacity.kind",
                f"Google does not offer {pool.machine.name} as {pool.kind}",
                f"Write one of {', '.join(pool.machine.capacity)}",
            )
    return tuple(pool for pool in pools if pool.kind in pool.machine.capacity)


def check_capacity(pool: ResolvedPool, project: str | None, findings: Findings) -> None:
    """Checks whether a pool whose machines are offered in that way can be obtained as it is asked for."""
    wanted, flexible = pool.settings, pool.kind is CapacityKind.FLEX_START
    if isinstance(wanted.capacity, ReservationCapacity):
        _check_reservation(pool, wanted.capacity, project, findings)
    if isinstance(wanted.capacity, FlexStartCapacity):
        _check_run_duration(wanted.capacity, pool.path, findings)
    _check_bounds(pool, findings)
    if wanted.compact_placement:
        _check_placement(pool, findings)
    if flexible and wanted.auto_repair:
        findings.refuse(
            f"{pool.path}.autoRepair",
            "GKE cannot remake a flexStart node, and refuses such a pool with auto-repair",
            "Leave autoRepair out",
        )
    if flexible and "surge" in wanted.model_fields_set:
        findings.refuse(
            f"{pool.path}.surge",
            "GKE upgrades flexStart nodes by letting them run out and making new ones, so there is nothing to choose",
            "Leave surge out",
        )


def max_run_seconds(pool: NodePoolSettings) -> int | None:
    """How long a node may run. A flexStart node always has an end."""
    match pool.capacity:
        case FlexStartCapacity(max_run_duration_hours=hours):
            return 3600 * (hours or google_platform().flex_start_max_hours)
        case _:
            return None


def _check_reservation(
    pool: ResolvedPool, reservation: ReservationCapacity, project: str | None, findings: Findings
) -> None:
    if pool.accelerator.reservation_sub_block_required and reservation.sub_block is None:
        findings.refuse(
            f"{pool.path}.capacity.subBlock",
            f"is missing: {pool.machine.name} is reserved by sub-blocks, one NVLink domain each",
            "Write block: and subBlock: as `gcloud compute reservations sub-blocks list` names them",
        )
    if reservation.block and reservation.project not in (None, project):
        findings.refuse(
            f"{pool.path}.capacity.block",
            f"names a block of a reservation that project {reservation.project} shares, which GKE does not take",
            "Leave block and subBlock out, or use a reservation of the stack's own project",
        )
    if pool.settings.surge.max_surge:
        findings.warn(
            f"{pool.path}.surge.maxSurge",
            f"an upgrade asks for {pool.settings.surge.max_surge} machine(s) more than the pool has, and a full "
            "reservation has none",
        )
    if not reservation.active:
        findings.warn(
            f"{pool.path}.capacity.active",
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


def _check_bounds(pool: ResolvedPool, findings: Findings) -> None:
    nodes, machine, path = pool.settings.nodes, pool.machine, pool.path
    if pool.kind is CapacityKind.FLEX_START and not (nodes.min == 0 < nodes.max):
        findings.refuse(
            f"{path}.nodes",
            f"a flexStart pool begins with no nodes and gets them one by one, so it cannot hold {nodes.min} at least",
            f"Write nodes: {{min: 0, max: {max(1, nodes.max)}}}",
        )
    if not pool.accelerator.nodes.autoscaling and nodes.min < nodes.max:
        findings.refuse(
            f"{path}.nodes", f"GKE does not autoscale {machine.name}", f"Write a number such as nodes: {nodes.max}"
        )
    topology = pool.accelerator.nodes.accelerator_topology
    if topology and nodes.max > machine.nvlink_nodes:
        findings.refuse(
            f"{path}.nodes",
            f"{nodes.max} nodes are more than the {machine.nvlink_nodes} of one NVLink domain ({topology}), and a pool "
            "lies in one",
            f"Write at most {machine.nvlink_nodes}, and a second pool for the others",
        )


def _check_placement(pool: ResolvedPool, findings: Findings) -> None:
    machine, nodes, key = pool.machine, pool.settings.nodes, f"{pool.path}.compactPlacement"
    most = machine.compact_placement_max_nodes
    if most is None:
        findings.refuse(key, f"{machine.name} has no compact placement", "Leave compactPlacement out")
    elif nodes.max > most:
        findings.refuse(
            f"{pool.path}.nodes",
            f"compact placement takes at most {most} nodes of {machine.name}, not {nodes.max}",
            f"Write at most {most}, or leave compactPlacement out",
        )
    if pool.kind is CapacityKind.FLEX_START and not machine.flex_start_compact_placement:
        findings.refuse(key, f"{machine.name} by flexStart cannot be placed compactly", "Leave compactPlacement out")
    if pool.kind is CapacityKind.RESERVATION:
        findings.warn(
            key, "the reservation decides where its machines stand; a policy beside it can leave nodes that never come"
        )
