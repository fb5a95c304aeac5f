"""`python -m maintenance.stack_files`: writes Pulumi.NAME.yaml for each accelerator that has none.

It is a first stack file, to be edited by hand: one node and a small model. A file that is there is never changed.
"""

from pathlib import Path
from typing import Any

import yaml

from catalog import ACCELERATORS, Accelerator, CapacityKind, MachineType
from config import NAMESPACE

CHECKOUT = Path(__file__).parents[1]
_MODEL = {"name": "gemma-3-1b", "model": "google/gemma-3-1b-it"}
_USUAL_ZONE = "us-central1-"
# The cheapest that keeps a node for as long as it is wanted comes first.
_ORDER = (CapacityKind.SPOT, CapacityKind.ON_DEMAND, CapacityKind.RESERVATION, CapacityKind.FLEX_START)


def text(accelerator: Accelerator) -> str:
    """The stack file of one node of the accelerator's usual machine."""
    machine = accelerator.machine_type(accelerator.default_machine_type)
    zone = _zone(accelerator, machine)
    kind = min(machine.capacity, key=_ORDER.index)
    pool = {
        "name": accelerator.name,
        "accelerator": accelerator.name,
        "zone": zone,
        # A flexStart pool begins with no nodes.
        "nodes": {"min": 0, "max": 1} if kind is CapacityKind.FLEX_START else 1,
        "capacity": _capacity(accelerator, kind),
    }
    values: dict[str, Any] = {"region": zone.rsplit("-", 1)[0], "nodePools": [pool], "models": [_MODEL]}
    config = {"pulumi:disable-default-providers": ["*"]} | {f"{NAMESPACE}:{key}": each for key, each in values.items()}
    written = yaml.safe_dump({"config": config}, sort_keys=False)
    return f"# yaml-language-server: $schema=docs/stack.schema.json\n# One node of {accelerator.title}.\n{written}"


def _zone(accelerator: Accelerator, machine: MachineType) -> str:
    offered = accelerator.availability_of(machine)
    zones = offered.zones or tuple(f"{region}-a" for region in offered.regions_without_known_zone)
    return min(zones, key=lambda zone: (not zone.startswith(_USUAL_ZONE), zone))


def _capacity(accelerator: Accelerator, kind: CapacityKind) -> dict[str, str]:
    capacity = {"kind": kind.value}
    if kind is CapacityKind.RESERVATION:
        capacity["name"] = accelerator.name
        if accelerator.reservation_sub_block_required:
            block = f"{accelerator.name}-block-0001"
            capacity |= {"block": block, "subBlock": f"{block}-subblock-0001"}
    return capacity


def main() -> None:
    for name, accelerator in ACCELERATORS.items():
        file = CHECKOUT / f"Pulumi.{name}.yaml"
        if not file.exists():
            file.write_text(text(accelerator), encoding="utf-8")
            print(f"{file.name}: made; write there which model it is for")


if __name__ == "__main__":
    main()
