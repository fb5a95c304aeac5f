"""Questions for the planner, of an accelerator's usual machine or of another."""

from catalog import ACCELERATORS, Model
from planning.prices import PriceList
from planning.shape import GpuNode, ShapeQuestion, ShapeRequest


def node(accelerator: str, machine_type: str | None = None) -> GpuNode:
    entry = ACCELERATORS[accelerator]
    return GpuNode.of(entry, entry.machine_type(machine_type or entry.default_machine_type))


def question(model: Model, accelerator: str, request: ShapeRequest, machine_type: str | None = None) -> ShapeQuestion:
    """At the list prices of us-central1."""
    where = node(accelerator, machine_type)
    return ShapeQuestion(model, where, request, PriceList("us-central1").usd_of(where.machine_type))
