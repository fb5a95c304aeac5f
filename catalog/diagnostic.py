"""The images that measure a transport with NCCL's own tests, by the name of the installer whose plugin they try."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from catalog._entry import Entries, Entry
from catalog.fabric import Transport
from catalog.release import Image


class BandwidthFloor(Entry):
    """Bus bandwidth that two nodes must reach."""

    gbytes_per_second: float
    source: str
    note: str | None = None


class Diagnostic(Entry):
    """An all-gather over two nodes. The lines are shell of the image; `HOSTS` and `GPUS` are variables of theirs."""

    name: str = Field(description="entry of INSTALLER_RELEASES")
    transport: Transport
    image: Image
    prepare: tuple[str, ...] = Field(description="on every node: answers the first one")
    measure: tuple[str, ...] = Field(description="on the first node, when all answer")
    floor: BandwidthFloor | None = Field(default=None, description="None: nobody published one; report the figure")
    sources: tuple[str, ...]
    note: str | None = None

    @model_validator(mode="after")
    def _measures_an_all_gather(self) -> Self:
        if not any("all_gather_perf" in line for line in self.measure):
            raise ValueError("no line of measure runs all_gather_perf")
        return self


DIAGNOSTICS: Entries[Diagnostic] = Entries(Path(__file__).parent / "releases" / "diagnostics", Diagnostic)
