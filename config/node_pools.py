"""The part of a stack file about an accelerator node pool and how its machines are obtained."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from catalog import ACCELERATORS, INSTALLER_RELEASES, DiskType, FabricMode, GpuDriverVersion
from config.effect import changes_in_place, replaces_cluster, replaces_node_pool
from config.intent import Count, Intent, ProjectId, ResourceName, ZoneName

ReservationName = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]


def _known_accelerator(name: str) -> str:
    if name not in ACCELERATORS:
        raise ValueError(f"no such accelerator; known are {', '.join(ACCELERATORS)}")
    return name


def _known_installer(name: str) -> str:
    if name not in INSTALLER_RELEASES:
        raise ValueError(f"no such installer; known are {', '.join(INSTALLER_RELEASES)}")
    return name


AcceleratorName = Annotated[str, AfterValidator(_known_accelerator)]
InstallerName = Annotated[str, AfterValidator(_known_installer)]


class SpotCapacity(Intent):
    """Spot machines: cheap, and Google may take them back with 30 seconds' notice."""

    kind: Annotated[Literal["spot"], Field(description="cheap, and taken back with 30 seconds' notice")]


class OnDemandCapacity(Intent):
    """Ordinary machines, where Google sells the accelerator so."""

    kind: Annotated[Literal["onDemand"], Field(description="ordinary machines, where Google sells the accelerator so")]


class ReservationCapacity(Intent):
    """Machines that were reserved before, calendar mode and future reservations included."""

    kind: Annotated[Literal["reservation"], Field(description="machines that were reserved before")]
    name: Annotated[ReservationName, Field(description="of the reservation")]
    block: Annotated[ReservationName | None, Field(description="one block of the reservation")] = None
    sub_block: Annotated[ReservationName | None, Field(description="one sub-block of that block")] = None
    project: Annotated[ProjectId | None, Field(description="whose reservation it is; default: the stack's own")] = None
    active: Annotated[
        bool,
        changes_in_place(),
        Field(description="false before the reservation begins: until then the pool has no nodes"),
    ] = True

    @model_validator(mode="after")
    def _sub_block_of_a_block(self) -> "ReservationCapacity":
        if self.sub_block and not self.block:
            raise ValueError("subBlock is part of a block; write block too")
        return self

    @property
    def path(self) -> str:
        """The reservation's name, with block and sub-block if they are named."""
        block = f"/reservationBlocks/{self.block}" if self.block else ""
        return self.name + block + (f"/reservationSubBlocks/{self.sub_block}" if self.sub_block else "")


class FlexStartCapacity(Intent):
    """Machines that come when Google has them, for a limited time, and go when it is over."""

    kind: Annotated[
        Literal["flexStart"], Field(description="machines that come when Google has them, for a limited time")
    ]
    max_run_duration_hours: Annotated[
        Count | None, Field(description="after which a node is taken back; default: the longest that Google allows")
    ] = None


Capacity = Annotated[
    SpotCapacity | OnDemandCapacity | ReservationCapacity | FlexStartCapacity,
    Field(discriminator="kind"),
]


class NodeCount(Intent):
    """Fixed where both are the same; else the autoscaler adds nodes as pods ask for them."""

    min: Annotated[int, Field(ge=0, le=1000, description="nodes at least")]
    max: Annotated[int, Field(ge=0, le=1000, description="nodes at most")]

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "NodeCount":
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is more than max: {self.max}")
        return self


def _fixed_count(value: Any) -> Any:
    """Reads `nodes: 2` as two nodes at least and at most."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"min": value, "max": value}
    if not isinstance(value, dict | NodeCount):
        raise ValueError("write a number, or {min: 0, max: 4} for the autoscaler")
    return cast(Any, value)


class SurgeSettings(Intent):
    """How many nodes an upgrade may add, and how many may be missing, at a time."""

    max_surge: Annotated[int, Field(ge=0, le=20, description="nodes that an upgrade may add at a time")] = 0
    max_unavailable: Annotated[int, Field(ge=0, le=20, description="nodes that may be missing at a time")] = 1

    @model_validator(mode="after")
    def _makes_progress(self) -> "SurgeSettings":
        if self.max_surge == self.max_unavailable == 0:
            raise ValueError("an upgrade that may neither add a node nor miss one never ends; write maxUnavailable: 1")
        return self


class NodePoolSettings(Intent):
    """One pool. What gives the stack its first fabric, or takes its last, replaces the cluster: multi-networking is
    chosen when a cluster is made."""

    name: Annotated[ResourceName, replaces_node_pool(), Field(description="of the node pool in GKE")]
    accelerator: Annotated[
        AcceleratorName, replaces_cluster(), Field(description="an entry of the catalogue, by its name")
    ]
    machine_type: Annotated[
        str | None, replaces_cluster(), Field(description="one of the accelerator's; default: the catalogue's")
    ] = None
    zone: Annotated[ZoneName, replaces_node_pool(), Field(description="of all of its nodes")]
    nodes: Annotated[
        NodeCount,
        BeforeValidator(_fixed_count, json_schema_input_type=NodeCount | int),
        Field(description="a number, or min and max for the autoscaler"),
    ]
    capacity: Annotated[Capacity, replaces_node_pool(), Field(description="how the machines are obtained")]
    boot_disk_size_gib: Annotated[int, Field(ge=50, le=65536, description="GiB")] = 200
    boot_disk_type: Annotated[DiskType | None, Field(description="default: the machine's usual one")] = None
    driver_version: Annotated[
        GpuDriverVersion | None,
        replaces_node_pool(),
        Field(description="INSTALLATION_DISABLED leaves the driver to you; default: the accelerator's usual one"),
    ] = None
    max_pods_per_node: Annotated[
        int | None, replaces_node_pool(), Field(ge=8, le=256, description="default: the accelerator's usual one")
    ] = None
    fabric: Annotated[
        FabricMode | None,
        replaces_cluster(),
        Field(description="how pods get the NICs between nodes; default: the first that the accelerator offers"),
    ] = None
    nccl_installer: Annotated[
        InstallerName | None, Field(description="a release in the catalogue; default: the accelerator's usual one")
    ] = None
    compact_placement: Annotated[
        bool, replaces_node_pool(), Field(description="ask for machines that stand close together")
    ] = False
    surge: Annotated[
        SurgeSettings,
        Field(
            description="default: one node at a time is missing, since none is to spare; not for flexStart, whose "
            "nodes are never upgraded but run out"
        ),
    ] = SurgeSettings()
    auto_repair: Annotated[
        bool | None, Field(description="let GKE remake a node that fails; default: yes, but not for flexStart")
    ] = None
    image_streaming: Annotated[bool, Field(description="start containers while their image is still being read")] = (
        False
    )
    secondary_boot_disk: Annotated[
        str | None,
        replaces_node_pool(),
        StringConstraints(pattern=r"^projects/[a-z0-9.:-]+/global/images/[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"),
        Field(description="a disk image with container images on it, which nodes find there instead of pulling them"),
    ] = None
