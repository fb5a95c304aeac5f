"""Reads what a person tells the stand-in about Google: machines, reservations, and faults."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from sandbox.cloud.faults import Fault
from sandbox.cloud.situation import Situation
from sandbox.cloud.tables import Family, Reservation
from sandbox.rows import Row, load, parse


class Scenario(Row):
    """A scenario file. An empty one is an ordinary day: every reservation exists, and nothing fails."""

    families: Mapping[str, Family] = {}
    reservations: tuple[Reservation, ...] | None = None
    faults: tuple[Fault, ...] = ()
    reachable: bool = Field(default=True, description="whether the API servers of clusters can be reached")
    load_balancers_stay: bool = Field(
        default=False, description="whether the firewall rules of load balancers outlive their cluster"
    )
    google: Situation = Situation()
    """What Google answers to the checks before anything is made."""


def read_scenario(file: Path | None) -> Scenario:
    """The scenario in a file; the ordinary one without a file. Raises InvalidTable, which names the file and the
    mistake."""
    return parse(Scenario, load(file) or {}, str(file)) if file else Scenario()
