"""What a stack uses: nodes, addresses, quota and money."""

from datetime import date

from pydantic import computed_field

from catalog.quotas import QuotaLimit
from planning.decision import Decision

HOURS_PER_MONTH = 730


class NodeUse(Decision):
    """What runs on one node of a pool: its GPUs by the name of the model."""

    gpus: dict[str, int]
    """Number of GPUs by the model's name."""


class PoolUse(Decision):
    """How the stack's models fill a pool."""

    pool: str
    """Name of the node pool."""
    gpus_per_node: int
    """GPUs that each node has."""
    min_nodes: int
    """Nodes at least."""
    nodes: int
    """The largest number of nodes that the pool may have."""
    used: tuple[NodeUse, ...]
    """Only the nodes in use, the fullest first."""

    @computed_field
    @property
    def fits_at_minimum(self) -> bool:
        """Whether the models run without a node from the autoscaler."""
        return len(self.used) <= self.min_nodes

    @property
    def used_gpus(self) -> int:
        return sum(sum(node.gpus.values()) for node in self.used)


class AddressUse(Decision):
    """How many nodes or pods a range must hold, and how many it can."""

    range: str
    """What the range is for, in words."""
    cidr: str
    """IPv4 range."""
    needed: int
    """Nodes or pods at the most that there can be."""
    capacity: int
    """Nodes or pods that fit."""


class QuotaNeed(Decision):
    """How much of a limit of the project the stack uses."""

    limit: QuotaLimit
    """The limit, and what Google's APIs call it."""
    region: str | None
    """The region that the limit is for; None: it is for the whole project."""
    dimensions: dict[str, str]
    """The dimensions by which the limit is counted besides the region."""
    at_first: int | None
    """The use with the nodes that the first `up` makes; None: not known."""
    amount: int | None
    """The largest use, with what an upgrade adds; None: not known."""
    held_by_reservations: int
    """The part of either that reservations hold: it was used when they were made, in the projects that own them."""


class CostItem(Decision):
    """One item of the cost in US dollars per hour, at list prices without tax or discount."""

    what: str
    """The item's name, which is the same in every plan of the stack, whatever the count."""
    detail: str = ""
    """How many of which machines, and how they are obtained; empty if it is not a machine."""
    count: int
    """Machines, or 1 of what is no machine; as few as there can be."""
    usd_per_hour: float | None
    """The price of all of them with the smallest number of nodes; None: no price is published."""
    usd_per_hour_at_most: float | None
    """The price with all nodes that the autoscaler may add; None: no price is published."""
    as_of: date | None
    """Day of the price; None: there is none."""
    note: str | None = None
    """What else is known of the price; None: nothing."""

    @property
    def label(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


class IdleUse(Decision):
    """GPUs of a pool that are paid for and that no model uses, with the smallest number of nodes."""

    pool: str
    """Name of the node pool."""
    gpus: int
    """The number of GPUs of its nodes."""
    idle: int
    """The number of these that no model uses."""
    acknowledged: int
    """The number of idle GPUs that the stack file names."""
    usd_per_hour: float | None
    """The list price of the idle GPUs in US dollars per hour; None: no price is published."""

    @property
    def unacknowledged(self) -> int:
        return self.idle - self.acknowledged

    @property
    def unacknowledged_usd_per_hour(self) -> float | None:
        """The same price, only of idle GPUs that the stack file does not name."""
        if not self.unacknowledged:
            return 0.0
        return None if self.usd_per_hour is None else self.usd_per_hour * self.unacknowledged / self.idle


class CostPlan(Decision):
    """What the stack costs by the hour, and what of it is paid for nothing."""

    items: tuple[CostItem, ...]
    """What is paid for, the cluster first."""
    idle: tuple[IdleUse, ...]
    """The idle GPUs of the pools that the stack makes."""

    @computed_field
    @property
    def usd_per_hour(self) -> float | None:
        """The sum in US dollars per hour; None if any part is unknown, since a sum without it would be wrong."""
        known = [item.usd_per_hour for item in self.items if item.usd_per_hour is not None]
        return sum(known) if len(known) == len(self.items) else None

    @computed_field
    @property
    def usd_per_hour_at_most(self) -> float | None:
        """The same sum with all nodes that the autoscaler may add."""
        known = [item.usd_per_hour_at_most for item in self.items if item.usd_per_hour_at_most is not None]
        return sum(known) if len(known) == len(self.items) else None

    @computed_field
    @property
    def idle_usd_per_hour(self) -> float | None:
        """The price of all idle GPUs in US dollars per hour; None if a part is unknown."""
        known = [use.usd_per_hour for use in self.idle if use.usd_per_hour is not None]
        return sum(known) if len(known) == len(self.idle) else None

    @computed_field
    @property
    def idle_share(self) -> float:
        """The share, from 0 to 1, of idle GPUs among those that are always paid for."""
        gpus = sum(use.gpus for use in self.idle)
        return sum(use.idle for use in self.idle) / gpus if gpus else 0.0

    @computed_field
    @property
    def usd_per_month(self) -> float | None:
        """The cost of a month of 730 hours in US dollars; None if it is unknown."""
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH
