"""The price list that answers are counted by."""

from dataclasses import dataclass

from catalog import CapacityKind, Price, PriceKind, price


@dataclass(frozen=True)
class PriceList:
    """Prices of machines in a region, for one way to obtain them."""

    region: str
    capacity: CapacityKind | None = None
    """The way to obtain the machines; None: nobody says it, so they count at the list price."""

    @property
    def name(self) -> str:
        """The price list's name for people."""
        return "list" if self.capacity is None else self.capacity.value

    def of(self, machine_type: str) -> Price | None:
        """The price of an hour; None if none is published."""
        return price(machine_type, self.region, self.capacity or PriceKind.ON_DEMAND)

    def usd_of(self, machine_type: str) -> float | None:
        """US dollars for an hour; None if no price is published."""
        found = self.of(machine_type)
        return None if found is None else found.usd
