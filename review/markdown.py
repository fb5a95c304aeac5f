"""The report as one comment of a pull request: short for a small change, and never too long for a comment."""

import re

from review.blocks import Block, blocks
from review.build import Review
from review.secrets import scrub

COMMENT_LIMIT = 65_536
"""The most characters of a comment; GitHub refuses a longer one."""
MARKER = "<!-- inference-platform report of {stack} -->"
"""The mark by which a pipeline finds the comment that it wrote before."""
_NOTE = "> Left out here, since a comment has its limit: {what}. The HTML report beside it has everything."


def to_comment(review: Review, limit: int = COMMENT_LIMIT) -> str:
    """The comment as Markdown, with the verdict first. What does not fit is left out, and the comment says how much
    that is."""
    end = MARKER.format(stack=review.stack)
    room = limit - len(end) - len(_NOTE) - 200
    kept: list[str] = []
    cut: dict[str, int] = {}
    section = ""
    for block in blocks(review, whole=False):
        head, tail = _around(block, new_section=block.title != section)
        left = room - sum(len(line) + 1 for line in (*head, *tail))
        fitting: list[str] = []
        for line in block.lines:
            if left < len(line) + 1:
                break
            fitting.append(line)
            left -= len(line) + 1
        missing = len(block.lines) - len(fitting)
        if missing:
            name = block.title or "summary"
            cut[name] = cut.get(name, 0) + missing
        if fitting:
            kept += [*head, *fitting, *tail]
            room, section = left, block.title
    if cut:
        what = ", ".join(f"{count} lines of “{title}”" for title, count in cut.items())
        kept += [_NOTE.format(what=what), ""]
    return scrub("\n".join([*kept, end])) + "\n"


def _around(block: Block, *, new_section: bool) -> tuple[list[str], list[str]]:
    """The lines before and after those of a block."""
    title = [f"### {block.title}", ""] if new_section and block.title else []
    if not block.fold:
        return [*title, *block.head], [*block.tail, ""]
    # GitHub does not read Markdown in a summary.
    summary = re.sub("`(.*?)`", r"<code>\1</code>", block.fold)
    return [*title, f"<details><summary>{summary}</summary>", *block.head], [*block.tail, "</details>", ""]
