"""What Google offers and where: machine types, regions, zones and network profiles, read from this package's YAML."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.rows import Row, load, parse

_HERE = Path(__file__).parent


class Consumption(StrEnum):
    """How capacity can be had."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"
    FLEX_START = "flexStart"
    RESERVATION = "reservation"


class NicKind(StrEnum):
    GVNIC = "gVNIC"
    IDPF = "IDPF"
    MRDMA = "MRDMA"
    MRDMA_METAL = "MRDMA_METAL"

    @property
    def ordinary(self) -> bool:
        """Whether it attaches to a network without a profile."""
        return self in (NicKind.GVNIC, NicKind.IDPF)


class Nics(Row):
    """Interfaces that attach to a network each. `devices` is how many devices of the node stand behind one of them."""

    kind: NicKind
    count: int
    devices: int = 1


class LocalSsd(Row):
    """Disks that come with the machine."""

    count: int
    gib: int = 375


class Shape(Row):
    """One machine type."""

    vcpus: int
    memory_gib: int
    accelerator_count: int = 0
    local_ssd: LocalSsd | None = None
    optional_local_ssds: tuple[int, ...] = ()
    extra_nics: tuple[Nics, ...] = ()

    @property
    def nic_kinds(self) -> list[NicKind]:
        """The kind of every extra NIC, in the machine's order."""
        return [nics.kind for nics in self.extra_nics for _ in range(nics.count)]

    @property
    def devices_per_nic(self) -> list[int]:
        """How many devices stand behind every extra NIC, in the same order."""
        return [nics.devices for nics in self.extra_nics for _ in range(nics.count)]


class Offer(Row):
    """The zones named, and every zone of the regions named; nothing named is everywhere."""

    zones: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def offered_in(self, zone: str) -> bool:
        if not self.zones and not self.regions:
            return True
        return zone in self.zones or region_of(zone) in self.regions


class Family(Offer):
    """Machine types that differ in size alone."""

    arch: str
    accelerator: str | None = None
    product: str | None = None
    """The accelerator's name as its own driver reports it."""
    boot_disks: tuple[str, ...]
    consumption: frozenset[Consumption]
    compact_placement: int | None = None
    flex_start_compact: bool = False
    topology_labels: bool = False
    gke_floors: tuple[str, ...] = ()
    """The oldest GKE version of each minor that runs it."""
    flex_start_floor: str | None = None
    accelerator_network_profile: bool = False
    managed_dranet: bool = False
    multi_networking: bool = True
    """Whether pods can have its NICs by Device-type Network objects."""
    sub_block_reservations: bool = False
    max_nodes_per_pool: int | None = None
    accelerator_topology: str | None = None
    """What the workload policy of its pools must say."""
    autoscaling: bool = True
    shielded_nodes: bool = True
    nic_daemon: str | None = None
    """The DaemonSet that has to run before its RDMA NICs work."""
    machines: Mapping[str, Shape]


class Profile(Offer):
    """A network profile `{zone}-{name}`, and the only kind of NIC that its networks take."""

    nic_kind: NicKind


class Locations(Row):
    regions: Mapping[str, tuple[str, ...]]
    network_profiles: Mapping[str, Profile]

    def zones_of(self, region: str) -> list[str]:
        return [f"{region}-{letter}" for letter in self.regions.get(region, ())]

    def is_zone(self, location: str) -> bool:
        return location in self.zones_of(region_of(location))

    def profile(self, name: str) -> tuple[Profile, str] | None:
        """The profile behind `{zone}-{kind}` and its zone; None if no such zone has one."""
        for kind, profile in self.network_profiles.items():
            zone = name.removesuffix("-" + kind)
            if zone != name and self.is_zone(zone) and profile.offered_in(zone):
                return profile, zone
        return None


class Status(StrEnum):
    """Whether a reservation's machines are there yet."""

    ACTIVE = "active"
    PENDING = "pending"


class Reservation(Row):
    """Machines that somebody reserved outside of any program. `blocks` names the sub-blocks of each block."""

    name: str
    project: str | None = None
    zone: str
    machine_type: str
    count: int
    status: Status = Status.ACTIVE
    in_use: int = 0
    """Machines that somebody else runs on."""
    shared: bool = True
    """With the projects that name it, where it is another's."""
    blocks: Mapping[str, tuple[str, ...]] = {}


class Tables:
    """Google's offer. Families that are given win over the built-in ones.

    `reservations` are all that exist; None: whatever a program names exists, active and of the right machines.
    """

    def __init__(
        self, families: Mapping[str, Family] | None = None, reservations: tuple[Reservation, ...] | None = None
    ) -> None:
        self._given = families or {}
        self.reservations = reservations

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """All there are, those that are given last."""
        rows: dict[str, Any] = load(_HERE / "machines.yaml")["families"]
        known = (parse(Family, row, f"machines.yaml: families.{name}") for name, row in rows.items())
        return (*known, *self._given.values())

    @cached_property
    def _machines(self) -> dict[str, tuple[Family, Shape]]:
        machines: dict[str, tuple[Family, Shape]] = {}
        for family in self.families:
            machines |= {machine: (family, shape) for machine, shape in family.machines.items()}
        return machines

    @cached_property
    def locations(self) -> Locations:
        return parse(Locations, load(_HERE / "locations.yaml"), "locations.yaml")

    def machine(self, name: str) -> tuple[Family, Shape] | None:
        return self._machines.get(name)


def region_of(location: str) -> str:
    """The region of a zone; a region is its own."""
    parts = location.split("-")
    return "-".join(parts[:2])
