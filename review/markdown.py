"""The report as one comment of a pull request: short for a short change, and never longer than a comment may be."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from review.build import Part, Review
from review.events import Action, PropertyChange, ResourceChange
from review.plans import CostView, ModelView, PlanView
from review.secrets import scrub
from review.text_pictures import letters_of, memory_bars, mermaid, node_map

COMMENT_LIMIT = 65_536
"""Characters; GitHub refuses a longer comment."""
MARKER = "<!-- inference-platform report of {stack} -->"
"""By which a pipeline finds the comment that it wrote before."""

_FOLDED = 12
"""Rows of one component from which on they are folded."""
_WORDS = {
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.UPDATE: "change",
    Action.CREATE: "create",
}
_AGAIN = "run again"
_BOLD_KINDS = frozenset({"NodePool", "Cluster"})


@dataclass(frozen=True)
class _Block:
    """Lines that may be cut between `head` and `tail`, so that what is left is still well-formed."""

    lines: list[str]
    head: list[str] = field(default_factory=list[str])
    tail: list[str] = field(default_factory=list[str])


def to_comment(review: Review, limit: int = COMMENT_LIMIT) -> str:
    """Markdown, verdict first. What does not fit is left out, and the comment says how much of what."""
    blocks = [block for block in _blocks(review) if block.lines]
    end = MARKER.format(stack=review.stack)
    note = "> Left out here, since a comment has its limit: {what}. The HTML report beside it has everything."
    room = limit - len(end) - len(note) - 200
    kept: list[str] = []
    cut: dict[str, int] = {}
    for title, block in _titled(blocks):
        head, tail = block.head, [*block.tail, ""]
        left = room - sum(len(line) + 1 for line in (*head, *tail))
        fitting: list[str] = []
        for line in block.lines:
            if left < len(line) + 1:
                break
            fitting.append(line)
            left -= len(line) + 1
        missing = len(block.lines) - len(fitting)
        if missing:
            cut[title] = cut.get(title, 0) + missing
        if fitting:
            kept += [*head, *fitting, *tail]
            room = left
    if cut:
        what = ", ".join(f"{count} lines of “{title}”" for title, count in cut.items())
        kept += [note.format(what=what), ""]
    return scrub("\n".join([*kept, end])) + "\n"


def _titled(blocks: Iterable[_Block]) -> Iterable[tuple[str, _Block]]:
    for block in blocks:
        title = next((line.lstrip("# ") for line in block.head if line.startswith("###")), "summary")
        yield title, block


def _blocks(review: Review) -> Iterable[_Block]:
    yield _Block(_verdict(review))
    yield _Block(
        [f"- {_violation_line(review, index)}" for index in range(len(review.violations))], _title("Rules broken")
    )
    for index, part in enumerate(review.parts):
        yield _part(part, first=index == 0)
    before, after = review.before, review.after
    if after and (before is None or before.cost != after.cost):
        yield _Block(_cost(before.cost if before else None, after.cost), _title("Cost"))
    if after:
        yield _fenced("GPU memory", _memory(before, after))
        yield _fenced("Nodes", _nodes(before, after))
        if any(node.action in (Action.REPLACE, Action.DELETE, Action.CREATE) for node in review.graph):
            yield _Block(mermaid(review.graph), [*_title("Graph"), "```mermaid"], ["```"])
        yield _Block(_warnings(before, after), _title("Warnings"))
    yield _Block([f"- {_line(text)}" for text in review.log.warnings], _title("Said by the engine"))
    yield _fenced("Errors", [line for error in review.log.errors for line in error.splitlines()])


def _title(text: str) -> list[str]:
    return [f"### {text}", ""]


def _fenced(title: str, lines: list[str]) -> _Block:
    return _Block([line.replace("```", "'''") for line in lines], [*_title(title), "```text"], ["```"])


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


def _part(part: Part, *, first: bool) -> _Block:
    rows = [_row(part, change) for change in part.changes]
    header = ["", "| | resource | what changes |", "| --- | --- | --- |"]
    title = [*(_title("Changes") if first else []), f"**{part.kind} `{part.name}`**"]
    if len(rows) < _FOLDED:
        return _Block(rows, [*title, *header])
    summary = f"<details><summary>{part.kind} <code>{part.name}</code>: {len(rows)} resources</summary>"
    return _Block(rows, [*title[:-1], summary, *header], ["</details>"])


def _row(part: Part, change: ResourceChange) -> str:
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
    """One line that starts no HTML, mentions nobody and closes nothing."""
    return " ".join(text.split()).replace("<", "&lt;").replace("@", "@\u200b")


def _cost(before: CostView | None, after: CostView) -> list[str]:
    old = {item.what: item.usd_per_hour for item in before.items} if before else {}
    new = {item.what: item.usd_per_hour for item in after.items}
    rows = ["| what | before | after |", "| --- | ---: | ---: |"]
    for what in dict.fromkeys([*old, *new]):
        rows.append(f"| {_cell(what)} | {_priced(old, what)} | {_priced(new, what)} |")
    total = _usd(before.usd_per_hour) if before else ""
    rows.append(f"| **per hour** | **{total}** | **{_usd(after.usd_per_hour)}** |")
    month = _usd(before.usd_per_month, 0) if before else ""
    rows.append(f"| per month | {month} | {_usd(after.usd_per_month, 0)} |")
    if after.usd_per_hour_at_most != after.usd_per_hour:
        most = _usd(before.usd_per_hour_at_most) if before else ""
        rows.append(f"| per hour, at most | {most} | {_usd(after.usd_per_hour_at_most)} |")
    if after.idle_gpus or (before and before.idle_gpus):
        was = _usd(before.idle_usd_per_hour) if before else ""
        rows.append(f"| per hour, of idle GPUs | {was} | {_usd(after.idle_usd_per_hour)} |")
    return rows


def _priced(items: dict[str, float | None], what: str) -> str:
    return _usd(items[what]) if what in items else ""


def _usd(amount: float | None, digits: int = 2) -> str:
    return "unknown" if amount is None else f"{amount:,.{digits}f} USD"


def _memory(before: PlanView | None, after: PlanView) -> list[str]:
    """Only of models whose memory is new or other than before."""
    rows: list[tuple[str, ModelView]] = []
    for model in after.models:
        old = before.model_named(model.name) if before else None
        if old is None:
            rows.append((model.name, model))
        elif old.shape.memory != model.shape.memory:
            rows += [(f"{model.name}, before", old), (f"{model.name}, after", model)]
    return memory_bars(rows)


def _nodes(before: PlanView | None, after: PlanView) -> list[str]:
    changed = [use for use in after.pool_use if before is None or before.use_of(use.pool) != use]
    old = [before.use_of(use.pool) for use in changed] if before else [None] * len(changed)
    letters = letters_of([*changed, *(use for use in old if use)])
    lines: list[str] = []
    for was, use in zip(old, changed, strict=True):
        if was:
            lines += node_map(was, letters, f"{use.pool}, before")
        lines += node_map(use, letters, f"{use.pool}, after " if was else use.pool)
    if letters:
        lines.append("  ".join(f"{letter} {name}" for name, letter in letters.items()) + "  · free")
    return lines


def _warnings(before: PlanView | None, after: PlanView) -> list[str]:
    # By their text: a path has another number as soon as a model before it goes.
    known = {warning.text for warning in before.warnings} if before else set[str]()
    lines = [f"- `{warning.path}`: {_line(warning.text)}" for warning in after.warnings if warning.text not in known]
    old = len(after.warnings) - len(lines)
    return [*lines, *([f"- and {old} that stood before"] if old else [])] if lines else []
