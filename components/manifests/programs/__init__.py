"""Programs that run in a container by `python3 -c`: they need no shell and no image of our own, only the standard
library."""

import ast
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def source(name: str) -> str:
    """The text of a program of this folder, with the text of its own parts in place of their first import."""
    return _with_parts(name, set())


def _with_parts(name: str, seen: set[str]) -> str:
    text = (_HERE / f"{name}.py").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    parts = [
        (node, node.module.rpartition(".")[2])
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{__name__}.")
    ]
    texts: list[str] = []
    for _, part in parts:
        if part not in seen:
            seen.add(part)
            texts.append(_with_parts(part, seen))
        else:
            texts.append("")
    for (node, _), of_part in reversed(list(zip(parts, texts, strict=True))):
        lines[node.lineno - 1 : node.end_lineno] = [of_part]
    return "".join(lines)
