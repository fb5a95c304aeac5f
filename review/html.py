"""The report as one page that loads nothing: the comment's blocks, uncut, and with real pictures."""

import re
from collections.abc import Iterable
from functools import partial
from html import escape
from itertools import groupby
from pathlib import Path

from markdown_it import MarkdownIt

from review import svg
from review.blocks import COST, GRAPH, NODES, Block, blocks, paid_for
from review.build import Review
from review.events import Action
from review.graph import Node
from review.plans import MemoryView, PlanView
from review.secrets import scrub

_STYLE = Path(__file__).with_name("report.css")
_NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_MARKS = {"replace": Action.REPLACE, "delete": Action.DELETE, "create": Action.CREATE, "change": Action.UPDATE}
_MARKS["run again"] = Action.UPDATE


def to_html(review: Review) -> str:
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_NO_SCRIPT}">
<title>{escape(review.stack)}: what changes</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
{"".join(_sections(review))}
</main>
</body>
</html>
"""
    return scrub(page)


def _sections(review: Review) -> Iterable[str]:
    drawn = {GRAPH: partial(_graph, review.graph)}
    if review.after is not None:
        sides = (review.before, review.after)
        drawn |= {COST: partial(_cost, *sides), NODES: partial(_nodes, *sides)}
    for title, of_title in groupby(blocks(review, whole=True), key=lambda block: block.title):
        picture = drawn[title]() if title in drawn else ""
        # A picture shows what its block says, apart from prices.
        said = "" if picture and title != COST else "".join(map(_block, of_title))
        if title:
            yield f"<section><h2>{title}</h2>{picture}{said}</section>\n"
        else:
            yield f'<header class="gravity-{review.statements[0].gravity.name.lower()}">{said}</header>\n'


def _block(block: Block) -> str:
    lines = block.lines if block.title else [f"# {block.lines[0]}", *block.lines[1:]]
    content = _html("\n".join([*block.head, *lines, *block.tail]))
    if not block.fold:
        return content
    return f"<details><summary>{_MARKDOWN.renderInline(block.fold)}</summary>{content}</details>"


def _html(markdown: str) -> str:
    """The Markdown as HTML. HTML in it is shown as text, apart from line breaks in table cells."""
    html = _MARKDOWN.render(markdown).replace("&lt;br&gt;", "<br>").replace("<table>", '<div class="scroll"><table>')
    return re.sub(
        r"<td>((?:<strong>)?)(" + "|".join(_MARKS) + r")\b", _marked, html.replace("</table>", "</table></div>")
    )


def _marked(cell: re.Match[str]) -> str:
    return f'<td class="mark {_MARKS[cell[2]].value}">{cell[1]}{cell[2]}'


def _scroll(picture: str) -> str:
    return f'<div class="scroll">{picture}</div>' if picture else ""


def _graph(nodes: tuple[Node, ...]) -> str:
    actions = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
    legend = "".join(f'<span class="mark {action.value}">{action.value}</span>' for action in actions)
    return f'{_scroll(svg.graph(nodes))}<p class="legend">{legend}</p>'


def _cost(before: PlanView | None, after: PlanView) -> str:
    names = paid_for(before, after)
    legend = "".join(f"<span>{_swatch(index)}{escape(name)}</span>" for index, name in enumerate(names))
    picture = svg.cost(before.cost if before else None, after.cost, names)
    return f'{_scroll(picture)}<p class="legend">{legend}</p>'


def _nodes(before: PlanView | None, after: PlanView) -> str:
    models = svg.models_of([after, before])
    old_models = {name: (colour, before.model_named(name) if before else None) for name, (colour, _) in models.items()}
    pictures = ""
    for pool in dict.fromkeys(use.pool for plan in (after, before) if plan for use in plan.pool_use):
        was, will = before.use_of(pool) if before else None, after.use_of(pool)
        on_it = {name for use in (was, will) if use for name in use.models}
        same = was == will and all(_memory(before, name) == _memory(after, name) for name in on_it)
        columns = ""
        if was and not same:
            columns += f"<figure><figcaption>before</figcaption>{_scroll(svg.node_map(was, old_models))}</figure>"
        if will:
            caption = "unchanged" if same else "after"
            columns += f"<figure><figcaption>{caption}</figcaption>{_scroll(svg.node_map(will, models))}</figure>"
        else:
            columns += "<figure><figcaption>after</figcaption>gone</figure>"
        pictures += f'<h3>Pool <code>{escape(pool)}</code></h3><div class="columns">{columns}</div>'
    names = "".join(f"<span>{_swatch(colour)}{escape(name)}</span>" for name, (colour, _) in models.items())
    keys = "From the bottom: weights (dark), overhead, KV cache (pale), kept free (empty)."
    return f'<p class="legend">{names}</p><p class="legend">{keys}</p>{pictures}'


def _swatch(colour: int) -> str:
    """A small square in the colour that the pictures use for the name beside it."""
    return f'<i style="background:var(--model-{colour % svg.PALETTE})"></i>'


def _memory(plan: PlanView | None, model: str) -> MemoryView | None:
    found = plan.model_named(model) if plan else None
    return found.shape.memory if found else None
