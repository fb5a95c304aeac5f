"""Programs that run in a container by `python3 -c`: they need no shell and no image of our own, only the standard
library."""

import ast
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def source(name: str) -> str:
    """The text of a program of this folder, with the text of its own parts in place of their import."""
    text = (_HERE / f"{name}.py").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{__name__}."):
            part = source((node.module or "").rpartition(".")[2])
            lines[node.lineno - 1 : node.end_lineno] = [part]
            return "".join(lines)
    return text
