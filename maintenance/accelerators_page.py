"""Makes docs/accelerators.md from the catalogue: each accelerator with the ways to obtain it, its price and its
zones."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from catalog import (
    ACCELERATORS,
    Accelerator,
    Availability,
    Basis,
    FabricMode,
    LocalSsd,
    LocalSsdMode,
    MachineType,
    NicKind,
    PriceKind,
    Transport,
    pinned_installer,
    price,
)

CHECKOUT = Path(__file__).parents[1]

_REGION = "us-central1"
"""The one region with a known price of every machine that has any."""
_LISTS = {PriceKind.ON_DEMAND: "list", PriceKind.SPOT: "spot", PriceKind.FLEX_START: "flex-start"}
_TRANSPORTS = {
    Transport.TCPX: "GPUDirect-TCPX",
    Transport.TCPXO: "GPUDirect-TCPXO",
    Transport.RDMA: "GPUDirect-RDMA (RoCE)",
    Transport.RDMA_METAL: "RoCE on bare metal",
}
_MODES = {
    FabricMode.NETWORK_OBJECTS: "Network objects",
    FabricMode.DRANET: "DRANET",
    FabricMode.ACCELERATOR_NETWORK_PROFILE: "DRANET over networks that Google makes",
}


def page() -> str:
    """The whole page as Markdown."""
    lines = [
        "# Accelerators",
        "",
        "`make record` makes this page from the catalogue; do not edit it. The file of each accelerator in",
        "`catalog/accelerators/` says where its facts come from, and which of them are uncertain.",
        "",
        *_table(
            ("accelerator", "usual machine", "GPUs", "memory of a GPU", "fabric", "stack file"),
            (_row(ACCELERATORS[name]) for name in ACCELERATORS),
        ),
        "",
        f"A price is in US dollars, for one hour of the whole machine in {_REGION}, without tax or discount. Its date",
        "stands beside it. `~` marks a price that is calculated from others, or that is uncertain. A price does not",
        "say that the machine can be obtained in that way: the column `capacity` does. Lists of zones get old: a zone",
        "in the list may be sold out, and a zone that is not in it may have the machine by now.",
    ]
    for name in ACCELERATORS:
        lines += ["", *_section(ACCELERATORS[name])]
    return "\n".join(lines) + "\n"


def _stack_file(accelerator: Accelerator) -> str:
    """The stack file that is kept for an accelerator; the files of people and environments do not count."""
    return f"`Pulumi.{accelerator.name}.yaml`"


def _row(accelerator: Accelerator) -> tuple[str, ...]:
    machine = accelerator.machine_type(accelerator.default_machine_type)
    return (
        f"[{accelerator.title}](#{accelerator.name})",
        f"`{machine.name}`",
        str(machine.gpus),
        f"{accelerator.memory.nominal_gb} GB",
        _fabric_name(accelerator),
        _stack_file(accelerator),
    )


def _section(accelerator: Accelerator) -> Iterator[str]:
    yield f"## {accelerator.name}"
    yield ""
    yield f"{accelerator.title}, `{accelerator.gke_label}` in GKE. Stack file: {_stack_file(accelerator)}."
    yield ""
    yield from _table(
        ("machine type", "GPUs", "vCPUs", "memory", "local SSD", "fabric", "capacity", "price"),
        (_machine(accelerator, machine) for machine in accelerator.machine_types),
    )
    yield ""
    yield f"- **Memory of a GPU**: {_memory(accelerator)}"
    yield f"- **NVLink**: {_nvlink(accelerator)}"
    yield from _fabric(accelerator)
    yield f"- **GKE**: {_gke(accelerator)}"
    disks = ", ".join(f"`{disk}`" for disk in accelerator.boot_disk.allowed)
    yield f"- **Boot disk**: {disks}; the default is `{accelerator.boot_disk.default}`"
    yield from _zones("Zones", accelerator.availability)
    for machine in accelerator.machine_types:
        if machine.availability:
            yield from _zones(f"Zones of `{machine.name}`", machine.availability)


def _machine(accelerator: Accelerator, machine: MachineType) -> tuple[str, ...]:
    share = "" if machine.gpu_fraction == 1 else f" ({machine.gpu_fraction:g} of one)"
    return (
        f"`{machine.name}`",
        f"{machine.gpus}{share}",
        str(machine.vcpus),
        f"{machine.memory_gib:g} GiB",
        _local_ssd(machine.local_ssd),
        f"{machine.network_gbps:,} Gbps in all" if machine.fabric and machine.network_gbps else "none",
        ", ".join(machine.capacity),
        _prices(machine.name),
    )


def _local_ssd(disks: LocalSsd) -> str:
    if not disks.total_gib:
        return "none"
    return f"{'up to ' if disks.mode is LocalSsdMode.OPTIONAL else ''}{disks.total_gib:,} GiB"


def _prices(machine_type: str) -> str:
    found = [(what, price(machine_type, _REGION, kind)) for kind, what in _LISTS.items()]
    known = [(what, entry) for what, entry in found if entry is not None]
    marks = [(what, entry, "~" if entry.derived or entry.uncertain else "") for what, entry in known]
    return "; ".join(f"{what} {mark}{entry.usd:,.2f} ({entry.as_of})" for what, entry, mark in marks) or "not published"


def _memory(accelerator: Accelerator) -> str:
    memory = accelerator.memory
    basis = "measured" if memory.torch_basis is Basis.MEASURED else f"{memory.torch_basis.value}, not measured"
    return f"{memory.nominal_gb} GB by name, {memory.torch_gib:g} GiB as vLLM sees it ({basis})"


def _nvlink(accelerator: Accelerator) -> str:
    if accelerator.nvlink is None:
        return "none; GPUs use PCIe"
    most = max(machine.nvlink_gpus for machine in accelerator.machine_types)
    return (
        f"generation {accelerator.nvlink.generation}, {accelerator.nvlink.gbytes_per_second:,} GB/s a GPU, joins up to "
        f"{most} GPUs"
    )


def _fabric_name(accelerator: Accelerator) -> str:
    return _TRANSPORTS.get(accelerator.fabric.transport, "none")


def _fabric(accelerator: Accelerator) -> Iterator[str]:
    fabric = accelerator.fabric
    if not fabric.networks:
        yield "- **Fabric**: none; nodes use their ordinary NIC"
        return
    parts = [f"{len(fabric.networks_of(vpc.name))} x `{vpc.name}`" for vpc in fabric.vpcs]
    carrying = [network for network in fabric.gpu_networks if network.gbps]
    nics = fabric.claimed_nics if fabric.gpu_networks[0].kind is NicKind.MRDMA else len(carrying)
    rate = nics * (carrying[0].gbps or 0) if carrying else 0
    yield (
        f"- **Fabric**: {_fabric_name(accelerator)}, {rate:,} Gbps between GPUs of different nodes; subnetworks of "
        f"VPCs: {', '.join(parts)}"
    )
    yield f"- **NICs reach pods by**: {', '.join(_MODES[mode] for mode in fabric.modes)}"
    installer = pinned_installer(fabric.transport, accelerator.architecture)
    yield f"- **NCCL plugin**: `{installer}`" if installer else "- **NCCL plugin**: none"


def _gke(accelerator: Accelerator) -> str:
    floors = f"at least {lowest}" if (lowest := ", ".join(accelerator.gke.floors)) else "any supported version"
    prefix = accelerator.gke.default_prefix
    return f"{floors}; the default is {prefix.rstrip('.') if prefix else 'that of the channel'}"


def _zones(title: str, offered: Availability) -> Iterator[str]:
    zones = ", ".join(offered.zones)
    regions = ", ".join(offered.regions_without_known_zone)
    unknown = f"some zone of {regions}" if regions else ""
    yield f"- **{title}** ({offered.as_of}): {'; '.join(filter(None, (zones, unknown))) or 'none found'}"


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
