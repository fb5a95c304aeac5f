"""What Google offers and where: machine types, regions, zones and network profiles, from the YAML files of this
package."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.rows import Row, load, parse

_HERE = Path(__file__).parent


class Consumption(StrEnum):
    """The ways to obtain capacity."""

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
        """Whether it attaches to a network without a network profile."""
        return self in (NicKind.GVNIC, NicKind.IDPF)


class Nics(Row):
    """Network interfaces, each of which attaches to a network. `devices` is the number of the node's devices behind
    each."""

    kind: NicKind
    count: int
    devices: int = 1


class LocalSsd(Row):
    """Local SSDs that the machine always has; `gib` is the size of one."""

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
    """Where something is offered: in the zones that are named, and in all zones of the regions that are named. If
    nothing is named, it is offered everywhere."""

    zones: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def offered_in(self, zone: str) -> bool:
        if not self.zones and not self.regions:
            return True
        return zone in self.zones or region_of(zone) in self.regions


class Family(Offer):
    """A family of machine types that differ only in size."""

    arch: str
    accelerator: str | None = None
    product: str | None = None
    """The accelerator's name, as its own driver reports it; None without an accelerator."""
    boot_disks: tuple[str, ...]
    consumption: frozenset[Consumption]
    compact_placement: int | None = None
    flex_start_compact: bool = False
    topology_labels: bool = False
    gke_floors: tuple[str, ...] = ()
    """The oldest GKE version, for each minor version, that runs it."""
    flex_start_floor: str | None = None
    accelerator_network_profile: bool = False
    managed_dranet: bool = False
    multi_networking: bool = True
    """Whether pods can use its NICs by Network objects of type Device."""
    sub_block_reservations: bool = False
    max_nodes_per_pool: int | None = None
    accelerator_topology: str | None = None
    """The accelerator topology that the workload policy of its pools must name; None: they need no such policy."""
    autoscaling: bool = True
    shielded_nodes: bool = True
    nic_daemon: str | None = None
    """The DaemonSet that has to run before its RDMA NICs work; None: there is none."""
    machines: Mapping[str, Shape]


class Profile(Offer):
    """A network profile `{zone}-{name}`, and the only kind of NIC that its networks accept."""

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
    """Whether a reservation has begun, so that its machines exist."""

    ACTIVE = "active"
    PENDING = "pending"


class Reservation(Row):
    """Machines that somebody reserved outside of any program. `blocks` gives the sub-blocks of each block."""

    name: str
    project: str | None = None
    zone: str
    machine_type: str
    count: int
    status: Status = Status.ACTIVE
    in_use: int = 0
    """The number of its machines that others already use."""
    shared: bool = True
    """Whether a reservation of another project is shared with the projects that name it."""
    blocks: Mapping[str, tuple[str, ...]] = {}


class Tables:
    """What Google offers. Families that are given replace built-in machines of the same name.

    `reservations` are all that exist; None: any reservation that a program names exists, is active and has the right
    machines.
    """

    def __init__(
        self, families: Mapping[str, Family] | None = None, reservations: tuple[Reservation, ...] | None = None
    ) -> None:
        self._given = families or {}
        self.reservations = reservations

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """All families; those that are given come last."""
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
