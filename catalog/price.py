"""List prices by region, machine type and way of obtaining it: US dollars, without tax or negotiated discount.

A price that was not found is None, never zero; each one carries its date.
"""

from datetime import date
from pathlib import Path

from pydantic import Field

from catalog._entry import Entries, Entry
from catalog.capacity import CapacityKind, PriceKind

_FOLDER = Path(__file__).parent / "prices"


class Price(Entry):
    """A price in US dollars per hour, or per the unit in the field's name."""

    usd: float = Field(gt=0)
    as_of: date
    source: str
    derived: bool = Field(default=False, description="by arithmetic from cited prices")
    uncertain: bool = Field(default=False, description="single source, undated or not official")
    note: str | None = None


class RegionPrices(Entry):
    """The hourly prices of one region; a machine type or list that is missing is unknown."""

    region: str
    machine_types: dict[str, dict[PriceKind, tuple[Price, ...]]] = Field(description="in any order")
    sources: tuple[str, ...]
    note: str | None = None


class Fees(Entry):
    """What is paid besides machines, in us-central1; None: not found."""

    cluster_hour: Price


REGION_PRICES: Entries[RegionPrices] = Entries(_FOLDER / "regions", RegionPrices)
FEES: Entries[Fees] = Entries(_FOLDER / "fees", Fees)


def price(machine_type: str, region: str, kind: CapacityKind | PriceKind) -> Price | None:
    """The newest known price of one machine for an hour, or None if none is published there.

    A list price does not say whether the machine can be obtained that way: see MachineType.capacity.
    """
    if region not in REGION_PRICES:
        return None
    lists = REGION_PRICES[region].machine_types.get(machine_type, {})
    found = lists.get(kind.traits.price_list if isinstance(kind, CapacityKind) else kind, ())
    return max(found, key=lambda entry: entry.as_of, default=None)
