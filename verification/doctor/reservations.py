"""Checks of reservations: whether their machines exist, are of the right kind, are enough, and may be used."""

from collections.abc import Iterator
from typing import Any

from config.node_pools import ReservationCapacity
from planning.plan import NodePoolPlan
from verification.doctor.google import Api, Missing
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.results import CheckFailed, NotObservable

_READY = "READY"


def reservation_questions(look: Look) -> Iterator[Question]:
    for pool in look.plan.node_pools:
        if pool.reservation:
            yield Question(
                pool.name,
                Row.RESERVATION,
                lambda pool=pool, named=pool.reservation: _reservation(look, pool, named),
            )


def _reservation(look: Look, pool: NodePoolPlan, named: ReservationCapacity) -> str:
    project = named.project or look.project
    name, *rest = named.path.split("/")
    where = f"projects/{project}/zones/{pool.zone}"
    try:
        reservation = look.google.get(Api.COMPUTE, f"{where}/reservations/{name}")
    except Missing:
        raise CheckFailed(
            f"{pool.zone} of {project} has no reservation {name}: write its name, zone and project in nodePools, as "
            "`gcloud compute reservations list` has them"
        ) from None
    if pool.waits and reservation.get("status") != _READY:
        return f"{name} is {reservation.get('status')}, and the pool has no nodes until capacity.active is true"
    _usable(look, pool, name, project, reservation)
    count, used = _machines(look, where, name, rest, reservation)
    own = _own_nodes(look, pool)
    free = count - used + own
    seen = f"{name} has {count} {pool.machine_type}, {used} in use"
    seen += f", {own} of them by this pool" if own else ""
    if free < pool.max_nodes:
        raise CheckFailed(f"{seen}: {pool.max_nodes} are wanted; have it enlarged, or write fewer nodes")
    return seen


def _usable(look: Look, pool: NodePoolPlan, name: str, project: str, reservation: dict[str, Any]) -> None:
    """Raises CheckFailed unless the reservation has begun, holds such machines, and is shared with the project."""
    if reservation.get("status") != _READY:
        raise CheckFailed(
            f"{name} is {reservation.get('status')}: until it has begun, write capacity.active: false for the pool"
        )
    machine = reservation.get("specificReservation", {}).get("instanceProperties", {}).get("machineType", "")
    if machine and machine != pool.machine_type:
        raise CheckFailed(f"{name} holds {machine} and not {pool.machine_type}: write the other machine or reservation")
    if project == look.project:
        return
    sharing = reservation.get("shareSettings", {})
    shared = {look.project, look.number} & set(sharing.get("projectMap", {}))
    if sharing.get("shareType") != "ORGANIZATION" and not shared:
        raise CheckFailed(
            f"{name} of {project} is not shared with {look.project}: have its owner run `gcloud compute reservations "
            f"update {name} --zone={pool.zone} --add-share-with={look.project}`"
        )


def _machines(look: Look, where: str, name: str, rest: list[str], reservation: dict[str, Any]) -> tuple[int, int]:
    """The machines and those in use: of the block or sub-block that is named, else of the whole reservation."""
    if not rest:
        specific = reservation["specificReservation"]
        return int(specific.get("count", 0)), int(specific.get("inUseCount", 0))
    path = f"{where}/reservations/{name}/{'/'.join(rest)}"
    try:
        part = look.google.get(Api.COMPUTE, path)["resource"]
    except Missing:
        raise CheckFailed(f"the reservation {name} has no {'/'.join(rest)}: write a block that it has") from None
    return int(part.get("count", 0)), int(part.get("inUseCount", 0))


def _own_nodes(look: Look, pool: NodePoolPlan) -> int:
    """The machines that the pool already has, by its instance groups."""
    try:
        groups = (look.standing_pools() or {}).get(pool.name, [])
        paths = [str(url).partition("/projects/")[2] for url in groups]
        managers = [look.google.get(Api.COMPUTE, f"projects/{path}") for path in paths]
    except (NotObservable, Missing):
        return 0
    return sum(int(manager.get("targetSize", 0)) for manager in managers)
