"""The graph as Mermaid, which GitHub draws in a comment."""

from collections.abc import Sequence

from review.events import Action
from review.graph import Node

_COLOURS = {
    Action.REPLACE: "fill:#ffd7d5,stroke:#cf222e,color:#1f2328",
    Action.DELETE: "fill:#ffd7d5,stroke:#cf222e,color:#1f2328,stroke-dasharray:4",
    Action.UPDATE: "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    Action.CREATE: "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
}


def mermaid(nodes: Sequence[Node]) -> list[str]:
    lines = ["flowchart LR"]
    lines += [f'  {node.key}["{_text(node.label)}<br/>{_text(node.detail)}"]' for node in nodes]
    keys = {node.key for node in nodes}
    lines += [f"  {need} --> {node.key}" for node in nodes for need in node.needs if need in keys]
    for action, colours in _COLOURS.items():
        of_action = [node.key for node in nodes if node.action is action]
        if of_action:
            lines += [f"  classDef {action.value} {colours}", f"  class {','.join(of_action)} {action.value}"]
    return lines


def _text(text: str) -> str:
    return text.replace('"', "'").replace("<", "&lt;").replace(">", "&gt;")
