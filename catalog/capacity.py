"""The kinds of capacity: for each, its price list, the limits it counts against and what GKE is told."""

from dataclasses import dataclass
from enum import StrEnum


class PriceKind(StrEnum):
    """A price list; the traits of a kind of capacity say which one applies to it."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"
    FLEX_START = "flexStart"
    CALENDAR = "calendar"
    COMMITTED_1Y = "committed1y"
    COMMITTED_3Y = "committed3y"


class ReservationUse(StrEnum):
    """`consumeReservationType` of a node pool, by Google's names."""

    NONE = "NO_RESERVATION"
    SPECIFIC = "SPECIFIC_RESERVATION"


class CapacityKind(StrEnum):
    """The ways to obtain a node."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"
    RESERVATION = "reservation"
    FLEX_START = "flexStart"

    @property
    def traits(self) -> "CapacityTraits":
        return _TRAITS[self]


@dataclass(frozen=True, kw_only=True)
class CapacityTraits:
    """What is true of all nodes that are obtained in one way."""

    price_list: PriceKind
    preemptible: bool = False
    """Whether its nodes count against the limits on preemptible machines."""
    flag: str | None = None
    """The flag in a node pool's `nodeConfig` that asks for it, by Google's name; None: none does."""
    reservations: ReservationUse | None
    """What a node pool says of reservations; None: nothing, so that any that matches is used."""
    gke_feature: str | None = None
    """The entry of GKE_FEATURES that says from which versions on GKE has it; None: all have it."""


# No pool but one for a reservation may use up a reservation that happens to match. A reservation is billed at the list
# price unless it was bought in calendar mode or with a commitment.
_TRAITS = {
    CapacityKind.ON_DEMAND: CapacityTraits(price_list=PriceKind.ON_DEMAND, reservations=None),
    CapacityKind.SPOT: CapacityTraits(
        price_list=PriceKind.SPOT, preemptible=True, flag="spot", reservations=ReservationUse.NONE
    ),
    CapacityKind.RESERVATION: CapacityTraits(price_list=PriceKind.ON_DEMAND, reservations=ReservationUse.SPECIFIC),
    CapacityKind.FLEX_START: CapacityTraits(
        price_list=PriceKind.FLEX_START,
        preemptible=True,
        flag="flexStart",
        reservations=ReservationUse.NONE,
        gke_feature="flex-start",
    ),
}
