"""How fast models were served on which accelerators, measured or published, and how fast each card reads."""

from datetime import date
from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.accelerator import Basis
from catalog.source import read_yaml

_FILE = Path(__file__).parent / "speed.yaml"


class MemoryBandwidth(Entry):
    gbytes_per_second: dict[str, float] = Field(description="by accelerator")
    source: str


class Measurement(Entry):
    """Throughput of one saturated server."""

    model: str
    accelerator: str
    gpus: int = Field(gt=0)
    input_tokens: int
    output_tokens: int
    output_tokens_per_second: float = Field(gt=0)
    input_tokens_per_second: float = Field(gt=0)
    served_by: str = Field(description="vLLM or another, with what is known of the run")
    basis: Basis
    source: str
    as_of: date


class Speed(Entry):
    memory_bandwidth: MemoryBandwidth
    measurements: tuple[Measurement, ...]


@cache
def speed() -> Speed:
    return Speed.model_validate(read_yaml(_FILE), by_alias=True, by_name=False)


def measurement(model: str, accelerator: str, gpus: int) -> Measurement | None:
    """The best figure for that model and number of GPUs: one of vLLM's before another server's."""
    rows = [m for m in speed().measurements if (m.model, m.accelerator, m.gpus) == (model, accelerator, gpus)]
    return min(rows, key=lambda row: (row.basis is not Basis.MEASURED, "vLLM" not in row.served_by), default=None)
