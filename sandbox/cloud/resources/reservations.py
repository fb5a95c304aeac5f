"""Reservations that a node pool uses: how they are named, and what they must contain."""

import re
from dataclasses import dataclass

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.resources.node_config import consumption, machine, machine_name
from sandbox.cloud.resources.pool_location import zones_of
from sandbox.cloud.resources.pool_size import node_count
from sandbox.cloud.tables import Consumption, Reservation, Status

_RESERVATIONS = "cloud.google.com/kubernetes-engine/docs/how-to/consuming-reservations"
_A4X = "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x"
_FUTURE = "Cluster Toolkit, modules/compute/gke-node-pool, is_reservation_active"

_NAME = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
_VALUE = re.compile(
    rf"(?:projects/(?P<project>[^/]+)/reservations/)?(?P<name>{_NAME})"
    rf"(?:/reservationBlocks/(?P<block>{_NAME})(?:/reservationSubBlocks/(?P<sub_block>{_NAME}))?)?"
)

rules = Rules()


@dataclass(frozen=True)
class ReservationPath:
    """The path of a reservation, or of one of its blocks or sub-blocks."""

    name: str
    project: str | None
    block: str | None
    sub_block: str | None


def parse_reservation(value: str) -> ReservationPath | None:
    match = _VALUE.fullmatch(value)
    return ReservationPath(match["name"], match["project"], match["block"], match["sub_block"]) if match else None


def _value(request: Request) -> str | None:
    if consumption(request.inputs) is not Consumption.RESERVATION:
        return None
    return next(iter(request.inputs.texts("nodeConfig.reservationAffinity.values")), None)


@rules("pool-reservation-format", _RESERVATIONS, Stage.CHECK)
def reservation_is_well_named(request: Request) -> str | None:
    value = _value(request)
    if value is None or parse_reservation(value):
        return None
    return (
        f'Error 400: Invalid reservation "{value}": must be of the form '
        "[projects/PROJECT/reservations/]NAME[/reservationBlocks/BLOCK[/reservationSubBlocks/SUB_BLOCK]]., badRequest"
    )


@rules("pool-reservation-sub-block", _A4X, Stage.CHECK)
def reservation_names_a_sub_block(request: Request) -> str | None:
    found, value = machine(request), _value(request)
    path = parse_reservation(value) if value else None
    if found is None or path is None or not found[0].sub_block_reservations or path.sub_block:
        return None
    return (
        f"Error 400: Node pools of machine type {machine_name(request)} must consume a sub-block of a reservation, "
        f'but "{value}" names none., badRequest'
    )


@rules("pool-reservation-shared-block", "Cluster Toolkit, modules/compute/gke-node-pool, preconditions", Stage.CHECK)
def block_is_the_projects_own(request: Request) -> str | None:
    value = _value(request)
    path = parse_reservation(value) if value else None
    if path is None or path.block is None or path.project in (None, request.project):
        return None
    return (
        f'Error 400: Reservation "{value}" is of another project: blocks of shared reservations are not supported., '
        "badRequest"
    )


def _reservation(request: Request) -> tuple[ReservationPath, Reservation | None] | None:
    """The reservation that the pool names and what is known of it; None if it names none, or if all are assumed to
    exist."""
    value = _value(request)
    path = parse_reservation(value) if value else None
    if path is None or request.tables.reservations is None:
        return None
    project = path.project or request.project
    known = (
        each
        for each in request.tables.reservations
        if each.name == path.name and project == (each.project or request.project)
    )
    return path, next(known, None)


@rules("pool-reservation-exists", _RESERVATIONS, Stage.CREATE)
def reservation_exists(request: Request) -> str | None:
    found = _reservation(request)
    if found is None:
        return None
    path, reservation = found
    there = reservation is not None and (
        path.block is None
        or (
            path.block in reservation.blocks
            and (path.sub_block is None or path.sub_block in reservation.blocks[path.block])
        )
    )
    if there:
        return None
    return f"Error 404: The resource '{_value(request)}' of project {path.project or request.project} was not found"


@rules("pool-reservation-shared", "cloud.google.com/compute/docs/instances/reservations-shared", Stage.CREATE)
def reservation_is_shared(request: Request) -> str | None:
    found = _reservation(request)
    path, reservation = found if found else (None, None)
    if path is None or reservation is None or reservation.shared or path.project in (None, request.project):
        return None
    return (
        f"Error 400: Reservation {reservation.name} of project {path.project} is not shared with project "
        f"{request.project}., badRequest"
    )


@rules("pool-reservation-match", _RESERVATIONS, Stage.CREATE)
def reservation_holds_such_machines(request: Request) -> str | None:
    found = _reservation(request)
    reservation = found[1] if found else None
    if reservation is None:
        return None
    if reservation.machine_type == machine_name(request) and set(zones_of(request)) == {reservation.zone}:
        return None
    return (
        f"Error 400: Reservation {reservation.name} holds {reservation.machine_type} in {reservation.zone}, "
        f"but the node pool asks for {machine_name(request)} in {', '.join(zones_of(request))}., badRequest"
    )


@rules("pool-reservation-pending", _FUTURE, Stage.CREATE, Stage.UPDATE)
def reservation_has_begun(request: Request) -> str | None:
    found = _reservation(request)
    reservation = found[1] if found else None
    if reservation is None or reservation.status is Status.ACTIVE or not node_count(request):
        return None
    return f"Google Compute Engine: The reservation {reservation.name} has not begun: it holds no machines yet."


@rules("pool-reservation-count", _RESERVATIONS, Stage.CREATE, Stage.UPDATE)
def reservation_is_large_enough(request: Request) -> str | None:
    found = _reservation(request)
    reservation = found[1] if found else None
    if reservation is None or node_count(request) <= reservation.count - reservation.in_use:
        return None
    taken = f", of which {reservation.in_use} are in use" if reservation.in_use else ""
    return (
        f"Google Compute Engine: ZONE_RESOURCE_POOL_EXHAUSTED: Reservation {reservation.name} "
        f"holds {reservation.count} machines{taken}, the node pool asks for {node_count(request)}."
    )
