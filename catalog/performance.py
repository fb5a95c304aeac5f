"""What is known of the library that estimates latency and throughput: its tables, and how far it was off."""

from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.source import read_yaml

_FILE = Path(__file__).parent / "performance.yaml"


class System(Entry):
    """One accelerator under the library's name."""

    name: str = Field(description="as the library calls it")
    tables: str = Field(description="the release of vLLM whose kernels were timed")


class FirstToken(Entry):
    """Milliseconds of a first token beside the model's own pass."""

    dense: float = Field(ge=0)
    experts: float = Field(ge=0, description="of a mixture of experts")


class MeasuredOn(Entry):
    """What the rows have in common that the errors come from: beyond it an error is not known."""

    accelerator: str
    dtype: str
    tensor_parallel: int = Field(description="at most")
    input_tokens: int


class EstimateError(Entry):
    """The worst of the measured rows, as a factor above 1 by which an estimate was too good."""

    first_token: float = Field(ge=1)
    per_token: float = Field(ge=1)
    throughput: float = Field(ge=1)
    measured_on: MeasuredOn


class Performance(Entry):
    library: str = Field(description="the package's name")
    systems: dict[str, System] = Field(description="by accelerator")
    first_token: FirstToken
    error: EstimateError
    sources: tuple[str, ...] = Field(description="keys of the catalogue's sources")


@cache
def performance() -> Performance:
    return Performance.model_validate(read_yaml(_FILE), by_alias=True, by_name=False)
