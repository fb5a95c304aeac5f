"""Pictures of characters that line up, for a plan and for the report of a change: GPU memory, and models on nodes."""

from collections.abc import Iterable, Mapping, Sequence

PARTS = ("weights", "overhead", "KV cache", "kept free")
"""The parts of a GPU's memory, in the order in which bars show them."""
_CHARACTERS = "█▓░·"
_FREE = "·"
_BAR = 32
"""Characters of a GPU's whole memory."""


def memory_bars(rows: Iterable[tuple[str, Sequence[float], float]]) -> list[str]:
    """A line for each label with its PARTS and their total in GiB, and what the characters mean; none for no rows."""
    shown = list(rows)
    if not shown:
        return []
    width = max(len(label) for label, _, _ in shown)
    lines: list[str] = []
    for label, parts, total in shown:
        numbers = ", ".join(f"{name} {size:.1f}" for name, size in zip(PARTS, parts, strict=True))
        lines.append(f"{label.ljust(width)} {_bar(parts, total)} of {total:.1f} GiB: {numbers}")
    legend = "  ".join(f"{character} {name}" for character, name in zip(_CHARACTERS, PARTS, strict=True))
    return [*lines, " " * (width + 1) + legend]


def _bar(parts: Sequence[float], total: float) -> str:
    bar, filled = "", 0.0
    for size, character in zip(parts, _CHARACTERS, strict=True):
        filled += size
        bar = bar.ljust(round(filled / total * _BAR) if total else 0, character)
    return bar[:_BAR].ljust(_BAR, _CHARACTERS[-1])


def letters_of(names: Iterable[str]) -> dict[str, str]:
    """A letter for each model, the same in every picture beside this one."""
    return {name: chr(ord("A") + index % 26) for index, name in enumerate(sorted(set(names)))}


def node_map(
    label: str, used: Sequence[Mapping[str, int]], *, nodes: int, gpus_per_node: int, letters: Mapping[str, str]
) -> list[str]:
    """Equal nodes share a line: a letter for each GPU that a model takes, a dot for each that is free.

    `used` has GPUs by model for each node that has any.
    """
    rows: dict[str, int] = {}
    for gpus in used:
        row = "".join(letters[name] * count for name, count in sorted(gpus.items())).ljust(gpus_per_node, _FREE)
        rows[row] = rows.get(row, 0) + 1
    if nodes > len(used):
        rows[_FREE * gpus_per_node] = nodes - len(used)
    return [f"{label} [{row}] x {count}" for row, count in rows.items()]


def letters_legend(letters: Mapping[str, str]) -> list[str]:
    """What the letters mean; nothing where there are none."""
    return ["  ".join(f"{letter} {name}" for name, letter in letters.items()) + f"  {_FREE} free"] if letters else []
