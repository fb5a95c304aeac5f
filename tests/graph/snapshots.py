"""`python -m tests.graph.snapshots`: writes the graph of every stack file, as `up` registers it."""

from pathlib import Path

import yaml

from config import stack_names
from tests.graph.recorder import CHECKOUT, Graph, record

FOLDER = Path(__file__).with_name("snapshots")


def text(graph: Graph) -> str:
    """The file of a graph."""
    document = {
        "resources": {registration.key: registration.as_dict() for registration in graph.registrations},
        "outputs": graph.outputs,
    }
    return yaml.safe_dump(document, sort_keys=True, width=120)


def main() -> None:
    files = {FOLDER / f"{stack}.yaml": text(record(stack, preview=False)) for stack in stack_names(CHECKOUT)}
    for file in set(FOLDER.glob("*.yaml")) - files.keys():
        file.unlink()
    for file, content in files.items():
        file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
