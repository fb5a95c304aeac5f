"""Pictures of characters that line up in a comment: GPU memory, nodes, and the graph as Mermaid."""

from collections.abc import Iterable, Sequence

from review.events import Action
from review.graph import Node
from review.plans import ModelView, PoolUseView

PARTS = ("weights", "overhead", "KV cache", "kept free")
_CHARACTERS = "█▓░·"
_BAR = 32
"""Characters of a GPU's whole memory."""

_COLOURS = {
    Action.REPLACE: "fill:#ffd7d5,stroke:#cf222e,color:#1f2328",
    Action.DELETE: "fill:#ffd7d5,stroke:#cf222e,color:#1f2328,stroke-dasharray:4",
    Action.UPDATE: "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    Action.CREATE: "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
}


def memory_bars(models: Iterable[tuple[str, ModelView]]) -> list[str]:
    """A line for each labelled model; none for no models."""
    rows = list(models)
    if not rows:
        return []
    width = max(len(label) for label, _ in rows)
    lines: list[str] = []
    for label, model in rows:
        memory = model.shape.memory
        numbers = ", ".join(f"{name} {size:.1f}" for name, size in zip(PARTS, memory.parts, strict=True))
        bar = _bar(memory.parts, memory.total_gib)
        lines.append(f"{label.ljust(width)} {bar} of {memory.total_gib:.1f} GiB: {numbers}")
    legend = "  ".join(f"{character} {name}" for character, name in zip(_CHARACTERS, PARTS, strict=True))
    return [*lines, " " * (width + 1) + legend]


def _bar(parts: Sequence[float], total: float) -> str:
    bar, filled = "", 0.0
    for size, character in zip(parts, _CHARACTERS, strict=True):
        filled += size
        bar = bar.ljust(round(filled / total * _BAR) if total else 0, character)
    return bar[:_BAR].ljust(_BAR, _CHARACTERS[-1])


def letters_of(uses: Iterable[PoolUseView]) -> dict[str, str]:
    """One letter a model, the same in every picture of a report."""
    names = sorted({name for use in uses for node in use.used for name in node.gpus})
    return {name: chr(ord("A") + index % 26) for index, name in enumerate(names)}


def node_map(use: PoolUseView, letters: dict[str, str], label: str) -> list[str]:
    """Equal nodes share a line: a letter for each GPU that a model takes, a dot for each that is free."""
    rows: dict[str, int] = {}
    for node in use.used:
        row = "".join(letters[name] * count for name, count in sorted(node.gpus.items()))
        row = row.ljust(use.gpus_per_node, "·")
        rows[row] = rows.get(row, 0) + 1
    empty = use.nodes - len(use.used)
    if empty > 0:
        rows["·" * use.gpus_per_node] = empty
    return [f"{label} [{row}] x {count}" for row, count in rows.items()]


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
