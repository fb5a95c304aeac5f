"""The contents of a report as ordered blocks of Markdown: the comment is cut from them, and the page is drawn from
them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from planning import pictures
from review.build import Part, Review
from review.events import Action, PropertyChange, ResourceChange
from review.mermaid import mermaid
from review.plans import CostItemView, CostView, ModelView, PlanView, PoolUseView

_FOLDED = 12
"""From so many rows on, the rows of one component are folded."""
_WORDS = {
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.UPDATE: "change",
    Action.CREATE: "create",
}
_AGAIN = "run again"
_BOLD_KINDS = frozenset({"NodePool", "Cluster"})


@dataclass(frozen=True)
class Block:
    """Lines that may be cut between `head` and `tail`, so that what is left is still well-formed."""

    title: str
    """The title of its section, which several blocks may share. Empty: it stands above all sections."""
    lines: list[str]
    head: list[str] = field(default_factory=list[str])
    tail: list[str] = field(default_factory=list[str])
    fold: str = ""
    """The title under which it is folded away; empty: it is not folded."""


GRAPH, COST, NODES = "Graph", "Cost", "Nodes"
"""The titles of blocks for which the page has a picture."""


def blocks(review: Review, *, whole: bool) -> list[Block]:
    """All blocks of a report, the most serious first. `whole`: with everything that did not change."""
    return [block for block in _blocks(review, whole) if block.lines]


def _blocks(review: Review, whole: bool) -> Iterable[Block]:
    yield Block("", _verdict(review))
    yield Block("Rules broken", [f"- {_violation_line(review, index)}" for index in range(len(review.violations))])
    yield from map(_part, review.parts)
    before, after = review.before, review.after
    if after:
        if whole or before is None or before.cost != after.cost:
            yield Block(COST, _cost(before, after))
        yield _fenced("GPU memory", _memory(before, after, whole))
        yield _fenced(NODES, _nodes(before, after, whole))
        if whole or any(node.action in (Action.REPLACE, Action.DELETE, Action.CREATE) for node in review.graph):
            yield Block(GRAPH, mermaid(review.graph), ["```mermaid"], ["```"])
        yield Block("Warnings", _warnings(before, after, whole))
    yield Block("Said by the Pulumi engine", [f"- {_line(text)}" for text in review.log.warnings])
    yield _fenced("Errors", [line for error in review.log.errors for line in error.splitlines()])


def _fenced(title: str, lines: list[str]) -> Block:
    return Block(title, [line.replace("```", "'''") for line in lines], ["```text"], ["```"])


def _verdict(review: Review) -> list[str]:
    first, *rest = review.statements
    idle = review.after.cost.idle_in_short if review.after else ""
    lines = [f"{first.sign} {first.text}" + (f" · ⚠️ **{idle}**" if idle else ""), ""]
    lines += [f"- {statement.text}" for statement in rest]
    context = [f"Stack `{review.stack}` against {review.base}", *_counts(review), *_cost_in_short(review)]
    lines += [*([""] if rest else []), " · ".join(context)]
    if review.base_problem:
        lines += ["", f"> {review.base} is not compared: {_line(review.base_problem)}"]
    if review.after_problem:
        lines += ["", f"> This change has no plan: {_line(review.after_problem)}"]
    return lines


def _counts(review: Review) -> Iterable[str]:
    changed = [change for part in review.parts for change in part.changes]
    words = [_word(change) for change in changed]
    said = [f"{words.count(word)} to {word}" for word in (*_WORDS.values(), _AGAIN) if word in words]
    if said:
        yield ", ".join(said)


def _cost_in_short(review: Review) -> Iterable[str]:
    before, after = review.before, review.after
    if after is None:
        return
    now = _usd(after.cost.usd_per_hour)
    if before is None or before.cost.usd_per_hour == after.cost.usd_per_hour:
        yield f"{now} per hour"
    else:
        yield f"{_usd(before.cost.usd_per_hour)} → {now} per hour"


def _violation_line(review: Review, index: int) -> str:
    violation = review.violations[index]
    resource = f" `{violation.resource.rsplit('::', 1)[-1]}`" if violation.resource else ""
    level = "" if violation.mandatory else " (advice)"
    return f"**{violation.rule}**{level}{resource}: {_line(violation.message)}"


def _part(part: Part) -> Block:
    rows = [_row(change) for change in part.changes]
    header = ["", "| | resource | what changes |", "| --- | --- | --- |"]
    name = f"{part.kind} `{part.name}`"
    if len(rows) < _FOLDED:
        return Block("Changes", rows, [f"**{name}**", *header])
    return Block("Changes", rows, header, fold=f"{name}: {len(rows)} resources")


def _row(change: ResourceChange) -> str:
    word = _word(change)
    name = f"{change.kind} `{_cell(change.name)}`"
    if change.action in (Action.REPLACE, Action.DELETE) and change.kind in _BOLD_KINDS:
        word, name = f"**{word}**", f"**{name}**"
    shown = [_property(one) for one in change.properties[:6]]
    if len(change.properties) > len(shown):
        shown.append(f"and {len(change.properties) - len(shown)} more")
    return f"| {word} | {name} | {'<br>'.join(shown)} |"


def _word(change: ResourceChange) -> str:
    return _AGAIN if change.runs_again else _WORDS[change.action]


def _property(change: PropertyChange) -> str:
    values = f": {_value(change.before)} → {_value(change.after)}" if change.before or change.after else ""
    path = f"`{_cell(change.path)}`"
    return f"**{path}**{values}" if change.replaces else f"{path}{values}"


def _value(text: str) -> str:
    return f"`{_cell(text)}`" if text else "nothing"


def _cell(text: str) -> str:
    return _line(text).replace("`", "'").replace("|", "\\|")


def _line(text: str) -> str:
    """The text as one line that opens no HTML, mentions nobody and closes no markup."""
    return " ".join(text.split()).replace("<", "&lt;").replace("@", "@\u200b")


def _cost(before: PlanView | None, after: PlanView) -> list[str]:
    rows = ["| what | before | after |", "| --- | ---: | ---: |"]
    for what in paid_for(before, after):
        old, new = before.cost_of(what) if before else None, after.cost_of(what)
        rows.append(f"| {_cell(_paid_label(old, new))} | {_priced(old)} | {_priced(new)} |")
    return rows + _totals(before.cost if before else None, after.cost)


def paid_for(*plans: PlanView | None) -> list[str]:
    """The names of all that the plans pay for, each once: a pool that grows is the same pool."""
    return list(dict.fromkeys(item.what for plan in plans if plan for item in plan.cost.items))


def _paid_label(old: CostItemView | None, new: CostItemView | None) -> str:
    sides = [side for side in (old, new) if side]
    details = list(dict.fromkeys(side.detail for side in sides if side.detail))
    return f"{sides[0].what}: {' → '.join(details)}" if details else sides[0].what


def _totals(before: CostView | None, after: CostView) -> list[str]:
    total = _usd(before.usd_per_hour) if before else ""
    rows = [f"| **per hour** | {total and f'**{total}**'} | **{_usd(after.usd_per_hour)}** |"]
    month = _usd(before.usd_per_month, 0) if before else ""
    rows.append(f"| per month | {month} | {_usd(after.usd_per_month, 0)} |")
    if after.usd_per_hour_at_most != after.usd_per_hour:
        most = _usd(before.usd_per_hour_at_most) if before else ""
        rows.append(f"| per hour, at most | {most} | {_usd(after.usd_per_hour_at_most)} |")
    if after.idle_gpus or (before and before.idle_gpus):
        was = _usd(before.idle_usd_per_hour) if before else ""
        rows.append(f"| per hour, of idle GPUs | {was} | {_usd(after.idle_usd_per_hour)} |")
    return rows


def _priced(item: CostItemView | None) -> str:
    return _usd(item.usd_per_hour) if item else ""


def _usd(amount: float | None, digits: int = 2) -> str:
    return "unknown" if amount is None else f"{amount:,.{digits}f} USD"


def _memory(before: PlanView | None, after: PlanView, whole: bool) -> list[str]:
    """The rows about memory. Without `whole` only of models that are new or whose memory changed."""
    rows: list[tuple[str, ModelView]] = []
    for model in after.models:
        old = before.model_named(model.name) if before else None
        if old and old.shape.memory != model.shape.memory:
            rows += [(f"{model.name}, before", old), (f"{model.name}, after", model)]
        elif whole or old is None:
            rows.append((model.name, model))
    return pictures.memory_bars(
        (label, model.shape.memory.parts, model.shape.memory.total_gib) for label, model in rows
    )


def _nodes(before: PlanView | None, after: PlanView, whole: bool) -> list[str]:
    lines: list[str] = []
    shown = [use for use in after.pool_use if whole or before is None or before.use_of(use.pool) != use]
    old = {use.pool: before.use_of(use.pool) for use in shown} if before else {}
    letters = pictures.letters_of(name for use in (*shown, *old.values()) if use for name in use.models)
    for use in shown:
        was = old.get(use.pool)
        if was and was != use:
            lines += _node_map(was, f"{use.pool}, before", letters)
            lines += _node_map(use, f"{use.pool}, after ", letters)
        else:
            lines += _node_map(use, use.pool, letters)
    return [*lines, *pictures.letters_legend(letters)]


def _node_map(use: PoolUseView, label: str, letters: Mapping[str, str]) -> list[str]:
    used = [node.gpus for node in use.used]
    return pictures.node_map(label, used, nodes=use.nodes, gpus_per_node=use.gpus_per_node, letters=letters)


def _warnings(before: PlanView | None, after: PlanView, whole: bool) -> list[str]:
    # Statements are compared by their text, since a path has another number when a model before it is removed.
    known = {warning.text for warning in before.warnings} if before and not whole else set[str]()
    lines = [f"- `{warning.path}`: {_line(warning.text)}" for warning in after.warnings if warning.text not in known]
    old = len(after.warnings) - len(lines)
    return [*lines, *([f"- and {old} that stood before"] if old else [])] if lines else []
