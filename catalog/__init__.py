"""Facts about accelerators, releases, prices and models, with source and date; read from YAML when asked for."""

from pathlib import Path

from catalog._entry import Entries, Entry, InvalidEntry
from catalog.accelerator import (
    Accelerator,
    Architecture,
    Availability,
    Basis,
    BootDisk,
    DeviceMemory,
    DiskType,
    Driver,
    GkeVersions,
    GpuDriverVersion,
    LocalSsd,
    LocalSsdMode,
    MachineType,
    NodeSettings,
    NvLink,
    Quota,
    Taint,
    TaintEffect,
)
from catalog.alert import Alert
from catalog.capacity import CapacityKind, PriceKind
from catalog.fabric import (
    DeviceMode,
    Dranet,
    Fabric,
    FabricMode,
    FabricNetwork,
    FabricVpc,
    NetworkProfile,
    NicKind,
    NoFabric,
    RdmaFabric,
    RdmaMetalFabric,
    TcpFabric,
    Transport,
)
from catalog.model import MODELS, Model
from catalog.price import FEES, REGION_PRICES, Fees, Price, RegionPrices, price
from catalog.release import (
    ChartRelease,
    Copy,
    GkeChannel,
    GkeFeature,
    GkeRelease,
    HostPath,
    Image,
    InstallerRelease,
    NodeDaemonRelease,
    Pins,
    PodMount,
    Sidecar,
    VllmRelease,
    gke_version_reaches,
)
from catalog.source import Source, read_yaml, sources

_HERE = Path(__file__).parent

ALERTS: Entries[Alert] = Entries(_HERE / "alerts", Alert)
ACCELERATORS: Entries[Accelerator] = Entries(_HERE / "accelerators", Accelerator)
NETWORK_PROFILES: Entries[NetworkProfile] = Entries(_HERE / "network_profiles", NetworkProfile)
VLLM_RELEASES: Entries[VllmRelease] = Entries(_HERE / "releases" / "vllm", VllmRelease)
CHART_RELEASES: Entries[ChartRelease] = Entries(_HERE / "releases" / "charts", ChartRelease)
INSTALLER_RELEASES: Entries[InstallerRelease] = Entries(_HERE / "releases" / "installers", InstallerRelease)
NODE_DAEMONS: Entries[NodeDaemonRelease] = Entries(_HERE / "releases" / "daemons", NodeDaemonRelease)
GKE_FEATURES: Entries[GkeFeature] = Entries(_HERE / "releases" / "features", GkeFeature)
GKE_CHANNELS: Entries[GkeChannel] = Entries(_HERE / "releases" / "channels", GkeChannel)
GKE_RELEASES: Entries[GkeRelease] = Entries(_HERE / "releases" / "gke", GkeRelease)


def pinned_installer(transport: Transport, architecture: Architecture) -> str | None:
    """The entry of INSTALLER_RELEASES that such nodes get if none is named; None: the transport has no plugin."""
    if transport is Transport.NONE:
        return None
    wanted = (True, transport, architecture)
    entries = INSTALLER_RELEASES.items()
    return next((name for name, each in entries if (each.pinned, each.transport, each.architecture) == wanted), None)


PINS: Pins = Pins.model_validate(read_yaml(_HERE / "pins.yaml"), by_alias=True, by_name=False)

__all__ = [
    "ACCELERATORS",
    "ALERTS",
    "CHART_RELEASES",
    "FEES",
    "GKE_CHANNELS",
    "GKE_FEATURES",
    "GKE_RELEASES",
    "INSTALLER_RELEASES",
    "MODELS",
    "NETWORK_PROFILES",
    "NODE_DAEMONS",
    "PINS",
    "REGION_PRICES",
    "VLLM_RELEASES",
    "Accelerator",
    "Alert",
    "Architecture",
    "Availability",
    "Basis",
    "BootDisk",
    "CapacityKind",
    "ChartRelease",
    "Copy",
    "DeviceMemory",
    "DeviceMode",
    "DiskType",
    "Dranet",
    "Driver",
    "Entries",
    "Entry",
    "Fabric",
    "FabricMode",
    "FabricNetwork",
    "FabricVpc",
    "Fees",
    "GkeChannel",
    "GkeFeature",
    "GkeRelease",
    "GkeVersions",
    "GpuDriverVersion",
    "HostPath",
    "Image",
    "InstallerRelease",
    "InvalidEntry",
    "LocalSsd",
    "LocalSsdMode",
    "MachineType",
    "Model",
    "NetworkProfile",
    "NicKind",
    "NoFabric",
    "NodeDaemonRelease",
    "NodeSettings",
    "NvLink",
    "Pins",
    "PodMount",
    "Price",
    "PriceKind",
    "Quota",
    "RdmaFabric",
    "RdmaMetalFabric",
    "RegionPrices",
    "Sidecar",
    "Source",
    "Taint",
    "TaintEffect",
    "TcpFabric",
    "Transport",
    "VllmRelease",
    "gke_version_reaches",
    "pinned_installer",
    "price",
    "sources",
]
