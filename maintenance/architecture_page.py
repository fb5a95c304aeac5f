"""Makes docs/architecture.md with pictures of the recorded registrations.

The tests hold the program to the same reviewed recordings, so a picture cannot show another graph.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_CHECKOUT = Path(__file__).parents[1]
_SNAPSHOTS = _CHECKOUT / "tests" / "graph" / "snapshots"
_COMPONENT = "inference-platform:components:"
_GOOGLE = "pulumi:providers:gcp"
"""Google's provider, which every resource in the project needs."""
_PICTURES = (
    ("h200", "One stack, one accelerator with a fabric, the token in the stack"),
    ("production", "Production: protected, the token in Secret Manager"),
)

_HEAD = """# Architecture

Made by `make record` from the graphs that the tests record; do not edit. The rooms of the code, and what may import
what, are in the [README](../README.md).

A box is a component, with the number of resources in it, or a resource that stands alone; an arrow leads from what is
needed to what needs it. An arrow that follows from others is left out. The double border marks what `protection`
guards.
"""


def page() -> str:
    parts = [_HEAD]
    for stack, title in _PICTURES:
        parts += [f"## {title}", "", f"`Pulumi.{stack}.yaml`", "", "```mermaid", *_picture(stack), "```", ""]
    return "\n".join(parts)


def _picture(stack: str) -> Iterable[str]:
    document: dict[str, Any] = yaml.safe_load((_SNAPSHOTS / f"{stack}.yaml").read_text(encoding="utf-8"))
    resources: dict[str, Any] = document["resources"]
    components = {key: record for key, record in resources.items() if key.startswith(_COMPONENT)}
    boxes = {key: _outermost(key, components) for key in components}
    of_resource = {
        key: boxes.get(str(record.get("parent", "")), key)
        for key, record in resources.items()
        if key not in components and not key.startswith(_GOOGLE)
    }
    edges = {
        (home, needed)
        for key, home in of_resource.items()
        for dependency in [*resources[key].get("dependencies", []), resources[key].get("provider", "")]
        if (needed := of_resource.get(dependency) or boxes.get(dependency)) and needed != home
    }
    yield "flowchart LR"
    for box in sorted({*boxes.values(), *of_resource.values()}):
        inside = [key for key, home in of_resource.items() if home == box]
        protected = any(resources[key].get("protect") for key in inside)
        text = f"{_title(box)}<br/><small>{_count(len(inside))}</small>"
        yield f'    {_id(box)}[["{text}"]]' if protected else f'    {_id(box)}["{text}"]'
    for home, needed in sorted(_without_shortcuts(edges)):
        yield f"    {_id(needed)} --> {_id(home)}"


def _outermost(key: str, components: dict[str, Any]) -> str:
    while str(components[key].get("parent", "")) in components:
        key = str(components[key]["parent"])
    return key


def _without_shortcuts(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges without those that a longer path implies."""
    needs: dict[str, set[str]] = {}
    for home, needed in edges:
        needs.setdefault(home, set()).add(needed)

    def reached(start: str, seen: set[str]) -> set[str]:
        for needed in needs.get(start, set()) - seen:
            seen.add(needed)
            reached(needed, seen)
        return seen

    return {
        (home, needed)
        for home, needed in edges
        if not any(needed in reached(other, set()) for other in needs[home] - {needed})
    }


def _title(key: str) -> str:
    kind, name = key.split(" ", 1)
    kind = kind.rpartition(":")[2]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)
    return f"<b>{words}</b><br/>{name}"


def _count(number: int) -> str:
    return f"{number} resource" + ("" if number == 1 else "s")


def _id(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", key.rpartition(":")[2])
