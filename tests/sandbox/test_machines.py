"""The stand-in's machines and the catalogue's were written from the sources apart: here they are laid side by side."""

from math import floor

import pytest

from catalog import ACCELERATORS, Accelerator, LocalSsdMode, MachineType
from catalog.fabric import NicKind as CatalogueNic
from sandbox.cloud.tables import NicKind, Tables
from sandbox.cloud.versions import meets


def before(version: str) -> str:
    release, build = version.rsplit(".", 1)
    return f"{release}.{int(build) - 1}"


TABLES = Tables()
MACHINES = [(accelerator, machine) for accelerator in ACCELERATORS.values() for machine in accelerator.machine_types]
# Every floor of either, and the version before it.
FLOORS = {each for accelerator, machine in MACHINES for each in accelerator.gke_floors_of(machine)} | {
    each for _, machine in MACHINES if (known := TABLES.machine(machine.name)) for each in known[0].gke_floors
}
VERSIONS = sorted(FLOORS | {before(each) for each in FLOORS if "-gke." in each} | {"1.29.15-gke.1", "1.37.0-gke.1"})
NICS = {
    NicKind.GVNIC: CatalogueNic.GVNIC,
    NicKind.IDPF: CatalogueNic.IDPF,
    NicKind.MRDMA: CatalogueNic.MRDMA,
    NicKind.MRDMA_METAL: CatalogueNic.MRDMA,
}


def named(value: Accelerator | MachineType) -> str:
    return value.name


@pytest.mark.parametrize(("accelerator", "machine"), MACHINES, ids=named)
def test_catalogue_and_stand_in_agree_on_a_machine(accelerator: Accelerator, machine: MachineType) -> None:
    found = TABLES.machine(machine.name)
    assert found is not None, "the stand-in does not know it"
    family, shape = found
    ssd = machine.local_ssd
    fixed = (ssd.count, ssd.total_gib) if ssd.mode is LocalSsdMode.FIXED else None
    fabric = accelerator.fabric_of(machine)
    nvlink = accelerator.nodes.accelerator_topology
    catalogue = {
        "arch": accelerator.architecture.value,
        "label": accelerator.gke_label,
        "boot disks": {disk.value for disk in accelerator.boot_disk.allowed},
        "capacity": {kind.value for kind in machine.capacity},
        "compact placement": machine.compact_placement_max_nodes,
        "flex-start, compact": machine.flex_start_compact_placement,
        "vCPUs": machine.vcpus,
        "memory": floor(machine.memory_gib),
        "GPUs": machine.gpus,
        "local SSDs": fixed,
        "NICs": [network.kind for network in fabric.networks],
        "GKE": [meets(version, accelerator.gke_floors_of(machine)) for version in VERSIONS],
        "sub-blocks": accelerator.reservation_sub_block_required,
        "topology": nvlink,
        "autoscaling": accelerator.nodes.autoscaling,
        "shielded": accelerator.nodes.shielded_nodes_allowed,
        "zones": set[str](),
    }
    if accelerator.availability_of(machine).certain:
        zones = accelerator.availability_of(machine).zones
        catalogue["zones"] = {zone for zone in zones if not family.offered_in(zone)}
    stand_in = {
        "arch": family.arch,
        "label": family.accelerator,
        "boot disks": set(family.boot_disks),
        "capacity": {kind.value for kind in family.consumption},
        "compact placement": family.compact_placement,
        "flex-start, compact": family.flex_start_compact,
        "vCPUs": shape.vcpus,
        "memory": shape.memory_gib,
        "GPUs": shape.accelerator_count,
        "local SSDs": (shape.local_ssd.count, shape.local_ssd.count * shape.local_ssd.gib) if shape.local_ssd else None,
        "NICs": [NICS[kind] for kind in shape.nic_kinds],
        "GKE": [meets(version, family.gke_floors) for version in VERSIONS],
        "sub-blocks": family.sub_block_reservations,
        "topology": family.accelerator_topology,
        "autoscaling": family.autoscaling,
        "shielded": family.shielded_nodes,
        "zones": set[str](),
    }
    assert catalogue == stand_in
