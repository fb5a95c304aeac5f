"""Has models' servers, the fabric, the hub or nodes misbehave, or behave again: a word in a file of the stack's home,
which what stands for them reads."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from sandbox.cluster import ControlPlane, hub_behaviour, node_disk, node_faults
from sandbox.cluster.hub_behaviour import HubBehaviour
from sandbox.cluster.nccl import behaviour as nccl_behaviour
from sandbox.cluster.node_disk import NodeDisk
from sandbox.home import Home
from sandbox.models.behaviour import Behaviour


def add_arguments(command: argparse.ArgumentParser) -> None:
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument("--model", help="its name in the stack file; '*' is every model")
    whose.add_argument("--fabric", action="store_true", help="what a test between nodes finds")
    whose.add_argument("--hub", action="store_true", help="what pods find at Hugging Face")
    whose.add_argument("--nodes", action="store_true", help="what programs find on their nodes")
    whose.add_argument("--node", metavar="NAME", help="what happens to one node of the cluster")
    command.add_argument(
        "how",
        nargs="?",
        default="",
        help="of a model slow-start=20s, slow-tokens=0.2s, first-token=1s, stall or fail; with commas; or nothing. "
        f"Of the fabric {nccl_behaviour.FORMS}; of the hub {hub_behaviour.FORMS}; of nodes {node_disk.FORMS}; "
        f"of a node {node_faults.FORMS}.",
    )


def behave(home: Home, plane: Callable[[], ControlPlane], options: argparse.Namespace) -> str:
    """Does what the arguments say, and returns it in words; only what happens to a node needs the control plane.

    Raises UnknownBehaviour, and ClusterError if there is no such node.
    """
    how: str = options.how
    said = how or "as it should"
    if options.fabric:
        nccl_behaviour.NcclBehaviour.parse(how)
        _write(home.fabric_behaviour, how)
        return f"a test between nodes: {said}"
    if options.hub:
        HubBehaviour.parse(how)
        _write(home.hub_behaviour, how)
        return f"Hugging Face's hub: {said}"
    if options.nodes:
        NodeDisk.parse(how)
        _write(home.node_behaviour, how)
        return f"each node: {said}"
    if options.node is not None:
        node_faults.happen_to(plane(), options.node, how)
        return f"node {options.node}: {said}"
    Behaviour.parse(how)
    write_of_models(home, {**of_models(home), options.model: how})
    return f"servers of {options.model}: {how or 'as they should'}"


def of_models(home: Home) -> dict[str, str]:
    """How models' servers were told to behave, by the model's name; none that behaves as it should."""
    file = home.behaviours
    told: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {model: how for model, how in told.items() if how}


def write_of_models(home: Home, wanted: dict[str, str]) -> None:
    _write(home.behaviours, json.dumps(wanted))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
