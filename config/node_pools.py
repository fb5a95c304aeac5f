"""What a person writes about an accelerator node pool, and how its machines are to be had."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from catalog import ACCELERATORS
from config.intent import Intent, ResourceName, ZoneName


def _known_accelerator(name: str) -> str:
    if name not in ACCELERATORS:
        raise ValueError(f"no such accelerator; known are {', '.join(ACCELERATORS)}")
    return name


AcceleratorName = Annotated[str, AfterValidator(_known_accelerator)]


class SpotCapacity(Intent):
    """Spot machines: cheap, and Google may take them back with 30 seconds' notice."""

    kind: Literal["spot"]


class OnDemandCapacity(Intent):
    """Ordinary machines, where Google sells the accelerator so."""

    kind: Literal["onDemand"]


Capacity = Annotated[SpotCapacity | OnDemandCapacity, Field(discriminator="kind")]


class NodePoolSettings(Intent):
    name: ResourceName
    accelerator: AcceleratorName
    machine_type: Annotated[str | None, Field(description="one of the accelerator's; default: the catalogue's")] = None
    zone: ZoneName
    nodes: Annotated[int, Field(ge=1, le=1000)]
    capacity: Capacity
    boot_disk_size_gib: Annotated[int, Field(ge=50, le=65536, description="GiB")] = 200
