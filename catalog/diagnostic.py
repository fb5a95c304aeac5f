"""The images that measure a transport with NCCL's own tests, by the name of the installer whose plugin they try."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from catalog._entry import Entries, Entry
from catalog.fabric import Transport
from catalog.release import Image


class Diagnostic(Entry):
    """An all-gather over two nodes. The lines are shell of the image; `HOSTS` and `GPUS` are variables of theirs."""

    name: str = Field(description="entry of INSTALLER_RELEASES")
    transport: Transport
    image: Image
    prepare: tuple[str, ...] = Field(description="on every node: answers the first one")
    meet: tuple[str, ...] = Field(description="on the first node: until all answer")
    measure: str = Field(description="on the first node: one command, whose exit status is that of the test")
    sources: tuple[str, ...]
    note: str | None = None

    @model_validator(mode="after")
    def _measures_an_all_gather_and_can_fail(self) -> Self:
        if "all_gather_perf" not in self.measure:
            raise ValueError("measure runs no all_gather_perf")
        if not self.measure.startswith("mpirun "):
            raise ValueError("measure does not call mpirun itself, so the test's exit status might be lost")
        return self


DIAGNOSTICS: Entries[Diagnostic] = Entries(Path(__file__).parent / "releases" / "diagnostics", Diagnostic)
