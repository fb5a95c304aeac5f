"""What Google offers and where: machine types, regions, zones and network profiles, read from this package's YAML."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

_HERE = Path(__file__).parent
# libyaml is ten times as fast; a wheel without it still works.
_LOADER = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_R = TypeVar("_R", bound="Row")


class Consumption(StrEnum):
    """How capacity can be had."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"
    FLEX_START = "flexStart"
    QUEUED = "queued"
    RESERVATION = "reservation"


class NicKind(StrEnum):
    GVNIC = "gVNIC"
    MRDMA = "MRDMA"
    MRDMA_METAL = "MRDMA_METAL"


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Nics(Row):
    kind: NicKind
    count: int


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
    boot_disks: tuple[str, ...]
    consumption: frozenset[Consumption]
    compact_placement: int | None = None
    topology_labels: bool = False
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


class InvalidTable(ValueError):
    """A table of machines or locations is not well formed; the message names the file."""


class Tables:
    """Google's offer. `extra_machines` names a file like machines.yaml; its families win over the built-in ones."""

    def __init__(self, extra_machines: Path | None = None) -> None:
        self._files = [_HERE / "machines.yaml", *([extra_machines] if extra_machines else [])]

    @cached_property
    def _machines(self) -> dict[str, tuple[Family, Shape]]:
        machines: dict[str, tuple[Family, Shape]] = {}
        for file in self._files:
            for name, row in _load(file)["families"].items():
                family = _parse(Family, row, f"{file.name}: families.{name}")
                machines |= {machine: (family, shape) for machine, shape in family.machines.items()}
        return machines

    @cached_property
    def locations(self) -> Locations:
        return _parse(Locations, _load(_HERE / "locations.yaml"), "locations.yaml")

    def machine(self, name: str) -> tuple[Family, Shape] | None:
        return self._machines.get(name)


def region_of(location: str) -> str:
    """The region of a zone; a region is its own."""
    parts = location.split("-")
    return "-".join(parts[:2])


def _load(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)


def _parse(kind: type[_R], data: Any, where: str) -> _R:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise InvalidTable(f"{where}: {error}") from error
