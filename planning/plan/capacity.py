"""What a stack takes: nodes, addresses, quota and money."""

from datetime import date
from typing import Literal

from pydantic import computed_field

from planning.plan.decision import Decision

HOURS_PER_MONTH = 730


class NodeUse(Decision):
    """What one node of a pool is filled with: GPUs by the name of the model."""

    gpus: dict[str, int]


class PoolUse(Decision):
    """How the stack's models fill a pool."""

    pool: str
    gpus_per_node: int
    min_nodes: int
    nodes: int
    """At most."""
    used: tuple[NodeUse, ...]
    """Only nodes with something on them, fullest first."""

    @computed_field
    @property
    def fits_at_minimum(self) -> bool:
        """The autoscaler need not bring a node for the models to run."""
        return len(self.used) <= self.min_nodes

    @property
    def used_gpus(self) -> int:
        return sum(sum(node.gpus.values()) for node in self.used)


class AddressUse(Decision):
    """How many nodes or pods a range is asked to hold, and can."""

    range: str
    cidr: str
    needed: int
    capacity: int


class QuotaNeed(Decision):
    """A limit of the project, and how much of it the stack takes. A name that is None is not known, or not there."""

    what: str
    """What is counted, and its unit."""
    scope: Literal["project", "region"]
    region: str | None
    """None: the limit is the project's."""
    metric: str | None
    """In `quotas` of projects.get or regions.get of the Compute Engine API."""
    quota_id: str | None
    """Of the Cloud Quotas API."""
    quota_metric: str | None
    """Of the Cloud Quotas API, such as compute.googleapis.com/cpus."""
    dimensions: dict[str, str]
    """By which the limit is counted besides the region."""
    at_first: int | None
    """With the nodes that the first `up` makes; None: not known."""
    amount: int | None
    """At the most that there can be, with what an upgrade adds; None: not known."""
    held_by_reservations: int
    """Of either: taken when the reservations that the pools name were made, from the projects that these are of."""
    certain: bool
    """False: that this limit counts these, or its name, is not sure."""
    note: str | None


class CostItem(Decision):
    """US dollars per hour, list prices without tax or discount; None: no price is published."""

    what: str
    """The same in every plan of the stack, however many there are of it."""
    detail: str = ""
    """How many of which machines, and how they are obtained; empty for what is no machine."""
    count: int
    usd_per_hour: float | None
    """Of all `count` of them, as few as there can be."""
    usd_per_hour_at_most: float | None
    """With all that the autoscaler may add."""
    as_of: date | None
    note: str | None = None

    @property
    def label(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


class IdleUse(Decision):
    """GPUs of a pool that are paid for and that no model uses, with as few nodes as there can be."""

    pool: str
    gpus: int
    """That its nodes have."""
    idle: int
    """Of these."""
    acknowledged: int
    """Of the idle ones, those that the stack file names."""
    usd_per_hour: float | None
    """Of the idle ones, list price; None: no price is published."""

    @property
    def unacknowledged(self) -> int:
        return self.idle - self.acknowledged

    @property
    def unacknowledged_usd_per_hour(self) -> float | None:
        """As `usd_per_hour`, of those that the stack file does not name."""
        if not self.unacknowledged:
            return 0.0
        return None if self.usd_per_hour is None else self.usd_per_hour * self.unacknowledged / self.idle


class CostPlan(Decision):
    items: tuple[CostItem, ...]
    idle: tuple[IdleUse, ...]
    """Of the pools that the stack makes."""

    @computed_field
    @property
    def usd_per_hour(self) -> float | None:
        """None if any part is unknown: a sum without it would be a wrong one."""
        known = [item.usd_per_hour for item in self.items if item.usd_per_hour is not None]
        return sum(known) if len(known) == len(self.items) else None

    @computed_field
    @property
    def usd_per_hour_at_most(self) -> float | None:
        """As `usd_per_hour`, with all that the autoscaler may add."""
        known = [item.usd_per_hour_at_most for item in self.items if item.usd_per_hour_at_most is not None]
        return sum(known) if len(known) == len(self.items) else None

    @computed_field
    @property
    def idle_usd_per_hour(self) -> float | None:
        """Of all idle GPUs; None if the price of any is unknown."""
        known = [use.usd_per_hour for use in self.idle if use.usd_per_hour is not None]
        return sum(known) if len(known) == len(self.idle) else None

    @computed_field
    @property
    def idle_share(self) -> float:
        """Of the GPUs that are paid for at the least, the part that no model uses; 0 to 1."""
        gpus = sum(use.gpus for use in self.idle)
        return sum(use.idle for use in self.idle) / gpus if gpus else 0.0

    @computed_field
    @property
    def usd_per_month(self) -> float | None:
        """Of 730 hours."""
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH
