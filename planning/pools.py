"""Resolves each node pool of a stack file once: what it asks for, and what the catalogue says of such machines."""

from dataclasses import dataclass

from catalog import (
    ACCELERATORS,
    INSTALLER_RELEASES,
    Accelerator,
    CapacityKind,
    Fabric,
    FabricMode,
    GpuDriverVersion,
    InstallerRelease,
    LocalSsdMode,
    MachineType,
    pinned_installer,
)
from config.node_pools import NodePoolSettings
from config.settings import Settings
from planning.errors import Findings


@dataclass(frozen=True)
class ResolvedPool:
    """A pool of the stack file with its accelerator and machine, as every step of a plan is handed it."""

    settings: NodePoolSettings
    accelerator: Accelerator
    machine: MachineType
    path: str
    """Its key in the stack file, such as `nodePools[0]`."""

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def kind(self) -> CapacityKind:
        """How its machines are obtained."""
        return CapacityKind(self.settings.capacity.kind)

    @property
    def driver(self) -> GpuDriverVersion:
        """The driver that GKE installs."""
        return self.settings.driver_version or self.accelerator.driver.default

    @property
    def fabric(self) -> Fabric:
        """Between its nodes."""
        return self.accelerator.fabric_of(self.machine)

    @property
    def mode(self) -> FabricMode | None:
        """How its pods get the NICs between nodes; None: there are none."""
        modes = self.fabric.modes
        return self.settings.fabric if self.settings.fabric in modes else modes[0] if modes else None

    @property
    def by_dranet(self) -> bool:
        """GKE's DRANET hands out its NICs, whoever makes the networks."""
        return self.mode in (FabricMode.DRANET, FabricMode.ACCELERATOR_NETWORK_PROFILE)

    @property
    def usual_installer(self) -> str | None:
        """The pinned installer of its transport; None: there is none."""
        return pinned_installer(self.fabric.transport, self.accelerator.architecture)

    @property
    def installer(self) -> InstallerRelease | None:
        """The installer of its NCCL plugin; None: it has no fabric, or the transport needs no plugin."""
        name = self.settings.nccl_installer or self.usual_installer
        return None if self.mode is None or name is None else INSTALLER_RELEASES[name]

    @property
    def local_ssds(self) -> int:
        """Disks of 375 GiB that become the ephemeral storage of its nodes; 0 leaves that on the boot disk."""
        return self.machine.local_ssd.count if self.machine.local_ssd.mode is LocalSsdMode.FIXED else 0


def resolve_pools(settings: Settings, findings: Findings) -> tuple[ResolvedPool, ...]:
    """The pools in the order of the stack file; one whose machine is none of its accelerator's becomes a refusal.

    So does one outside of the region, which is resolved nevertheless.
    """
    found: list[ResolvedPool] = []
    for index, pool in enumerate(settings.node_pools):
        accelerator, path = ACCELERATORS[pool.accelerator], f"nodePools[{index}]"
        try:
            machine = accelerator.machine_type(pool.machine_type or accelerator.default_machine_type)
        except KeyError:
            legal = ", ".join(machine.name for machine in accelerator.machine_types)
            findings.refuse(
                f"{path}.machineType",
                f"{pool.machine_type!r} is no machine with {accelerator.title}",
                f"Write one of {legal}",
            )
            continue
        if not pool.zone.startswith(f"{settings.region}-"):
            findings.refuse(
                f"{path}.zone", f"{pool.zone} is not in region {settings.region}", "Write a zone of that region"
            )
        found.append(ResolvedPool(pool, accelerator, machine, path))
    return tuple(found)
