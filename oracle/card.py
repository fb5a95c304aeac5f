"""The cards that vLLM is made to believe in: one of each compute capability, from the catalogue's accelerators."""

from pydantic import BaseModel, ConfigDict, field_serializer

from catalog import ACCELERATORS


class Card(BaseModel):
    """One GPU as CUDA describes it to vLLM, and as the half of the oracle in vLLM's environment reads it as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    capability: str
    memory: int
    """The memory in bytes."""
    multiprocessors: int
    shared_memory: int
    """The bytes of shared memory that one block may ask for."""

    @field_serializer("capability")
    def _in_numbers(self, capability: str) -> list[int]:
        return [int(part) for part in capability.split(".")]


# Multiprocessors from NVIDIA's data sheets; shared memory of a block from the CUDA C++ Programming Guide 13.0, table
# "Technical Specifications per Compute Capability" (227, 99 or 163 KiB). Names as the driver gives them.
_CARDS = {
    "9.0": ("h100", "NVIDIA H100 80GB HBM3", 132, 227),
    "8.9": ("l4", "NVIDIA L4", 58, 99),
    "8.0": ("a100-80gb", "NVIDIA A100-SXM4-80GB", 108, 163),
    "10.0": ("b200", "NVIDIA B200", 148, 227),
    "10.3": ("gb300", "NVIDIA GB300", 148, 227),
    "12.0": ("rtx-pro-6000", "NVIDIA RTX PRO 6000 Blackwell Server Edition", 188, 99),
}
CAPABILITIES = tuple(_CARDS)


def card_of(capability: str) -> Card:
    """The card of that compute capability. Raises KeyError."""
    accelerator, name, multiprocessors, shared_kib = _CARDS[capability]
    memory = round(ACCELERATORS[accelerator].memory.torch_gib * 2**30)
    return Card(
        name=name,
        capability=capability,
        memory=memory,
        multiprocessors=multiprocessors,
        shared_memory=shared_kib * 1024,
    )
