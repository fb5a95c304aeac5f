"""What somebody has read and found right, kept as a file: `make record` writes it, and a test compares it with today's.

No snapshot library: the pages and the recorder read these files by plain names, and a library wants its own layout.
"""

import difflib
from pathlib import Path


def assert_as_reviewed(file: Path, now: str) -> None:
    """Raises AssertionError with the lines that differ."""
    reviewed = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = difflib.unified_diff(reviewed.splitlines(), now.splitlines(), "reviewed", "now", lineterm="")
    assert now == reviewed, "\n".join([*lines, "If this is what you meant: make record"])
