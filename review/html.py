"""The report as one page that loads nothing from elsewhere: the comment's content with real pictures."""

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from review import svg
from review.build import Part, Review
from review.events import Action, PropertyChange, ResourceChange
from review.plans import CostView, MemoryView, ModelView, PlanView
from review.secrets import scrub

_STYLE = Path(__file__).with_name("report.css")
_NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def to_html(review: Review) -> str:
    sections = [section for section in _sections(review) if section]
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
{"".join(sections)}
</main>
</body>
</html>
"""
    return scrub(page)


def _sections(review: Review) -> Iterable[str]:
    before, after = review.before, review.after
    yield _verdict(review)
    yield _violations(review)
    yield _section("Graph", _scroll(svg.graph(review.graph)) + _legend())
    yield _section("Changes", "".join(_part(part) for part in review.parts))
    if after:
        yield _section("Cost", _scroll(svg.cost(before.cost if before else None, after.cost)) + _cost(before, after))
        yield _section("Nodes and GPU memory", _nodes(before, after))
        warnings = "".join(f"<li><code>{escape(one.path)}</code>: {escape(one.text)}</li>" for one in after.warnings)
        yield _section("Warnings", f"<ul>{warnings}</ul>" if warnings else "")
    said = [*review.log.errors, *review.log.warnings]
    yield _section("Said by the engine", "".join(f"<pre>{escape(text)}</pre>" for text in said))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>\n" if content else ""


def _scroll(picture: str) -> str:
    return f'<div class="scroll">{picture}</div>' if picture else ""


def _verdict(review: Review) -> str:
    first, *rest = review.statements
    idle = review.after.cost.idle_in_short if review.after else ""
    more = "".join(f"<li>{_inline(statement.text)}</li>" for statement in rest)
    problems = [
        f"{review.base} is not compared: {review.base_problem}" if review.base_problem else "",
        f"This change has no plan: {review.after_problem}" if review.after_problem else "",
    ]
    return (
        f'<header class="gravity-{first.gravity.name.lower()}"><p class="stack">Stack {escape(review.stack)} '
        f"against {_inline(review.base)}</p><h1>{_inline(first.text)}</h1>"
        + (f"<p>⚠️ <strong>{escape(idle)}</strong></p>" if idle else "")
        + (f"<ul>{more}</ul>" if more else "")
        + "".join(f"<p>{escape(problem)}</p>" for problem in problems if problem)
        + "</header>\n"
    )


def _inline(text: str) -> str:
    """Of Markdown, the two marks that statements use."""
    marked = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", marked)


def _violations(review: Review) -> str:
    items = "".join(
        f"<li><strong>{escape(one.rule)}</strong>{'' if one.mandatory else ' (advice)'} "
        f"<code>{escape(one.resource.rsplit('::', 1)[-1])}</code>: {escape(one.message)}</li>"
        for one in review.violations
    )
    return _section("Rules broken", f"<ul>{items}</ul>" if items else "")


def _legend() -> str:
    marks = map(_mark, (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE))
    return f'<p class="legend">{"".join(marks)}</p>'


def _mark(action: Action, word: str = "") -> str:
    return f'<span class="mark {action.value}">{word or action.value}</span>'


def _part(part: Part) -> str:
    rows = "".join(_row(change) for change in part.changes)
    opened = " open" if len(part.changes) < 12 else ""
    return (
        f"<details{opened}><summary>{escape(part.kind)} <code>{escape(part.name)}</code> "
        f"{_mark(part.action)}</summary>"
        f'<div class="scroll"><table class="changes"><tbody>{rows}</tbody></table></div></details>'
    )


def _row(change: ResourceChange) -> str:
    properties = "<br>".join(map(_property, change.properties))
    mark = _mark(Action.UPDATE, "run again") if change.runs_again else _mark(change.action)
    return (
        f"<tr><td>{mark}</td>"
        f"<td>{escape(change.kind)} <code>{escape(change.name)}</code></td><td>{properties}</td></tr>"
    )


def _property(change: PropertyChange) -> str:
    path = f"<code>{escape(change.path)}</code>"
    path = f"<strong>{path}</strong>" if change.replaces else path
    if not change.before and not change.after:
        return path
    return f"{path}: {escape(change.before or 'nothing')} → {escape(change.after or 'nothing')}"


def _cost(before: PlanView | None, after: PlanView) -> str:
    old, old_totals = _prices(before.cost) if before else ({}, {})
    new, new_totals = _prices(after.cost)
    rows = "".join(
        f"<tr><td>{_swatch(index) if left is old else ''}{escape(what)}</td>"
        f"<td>{left.get(what, '')}</td><td>{right.get(what, '')}</td></tr>"
        for left, right in ((old, new), (old_totals, new_totals))
        for index, what in enumerate(dict.fromkeys([*left, *right]))
    )
    head = "<thead><tr><th>what, in USD per hour</th><th>before</th><th>after</th></tr></thead>"
    return f'<div class="scroll"><table class="numbers">{head}<tbody>{rows}</tbody></table></div>'


def _prices(cost: CostView) -> tuple[dict[str, str], dict[str, str]]:
    """Of each item, and of all of them."""
    items = {item.what: _usd(item.usd_per_hour) for item in cost.items}
    totals = {"all together": cost.usd_per_hour, "at most": cost.usd_per_hour_at_most, "idle": cost.idle_usd_per_hour}
    return items, {what: _usd(amount) for what, amount in totals.items()}


def _usd(price: float | None) -> str:
    return "unknown" if price is None else f"{price:,.2f}"


def _nodes(before: PlanView | None, after: PlanView) -> str:
    models = svg.models_of([after, before])
    old_models = {name: (colour, before.model_named(name) if before else None) for name, (colour, _) in models.items()}
    pictures = ""
    for pool in dict.fromkeys(use.pool for plan in (after, before) if plan for use in plan.pool_use):
        was, will = before.use_of(pool) if before else None, after.use_of(pool)
        on_it = {name for use in (was, will) if use for node in use.used for name in node.gpus}
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
    names = "".join(_model(name, *of_model) for name, of_model in models.items())
    keys = '<p class="legend">From the bottom: weights (dark), overhead, KV cache (pale), kept free (empty).</p>'
    return f"{names}{keys}{pictures}"


def _model(name: str, colour: int, model: ModelView | None) -> str:
    memory = f": {svg.memory_text(model.shape.memory)}" if model else ""
    return f'<p class="legend">{_swatch(colour)}{escape(name)}{memory}</p>'


def _swatch(colour: int) -> str:
    """A patch of the colour that the pictures give to what is named beside it."""
    return f'<i style="background:var(--model-{colour % svg.PALETTE})"></i>'


def _memory(plan: PlanView | None, model: str) -> MemoryView | None:
    found = plan.model_named(model) if plan else None
    return found.shape.memory if found else None
