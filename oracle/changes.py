"""What one vLLM release says otherwise than another of the models that both were asked about, as a Markdown table."""

from collections.abc import Iterator

from catalog.recorded import RECORDED, RecordedCase, read_record
from oracle.records import case_key

_WORTH_TELLING = 0.05
"""Per cent of weights."""


def changes(old: str, new: str) -> str:
    """The table. Raises OSError or InvalidEntry where a release was not recorded."""
    before, after = ({file.name: file for file in sorted((RECORDED / name).iterdir())} for name in (old, new))
    rows: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            rows.append(f"| {name.removesuffix('.json')} | | | recorded for {new if name in after else old} alone |")
            continue
        was, now = read_record(before[name]), read_record(after[name])
        for capability in sorted(was.capabilities.keys() & now.capabilities.keys()):
            pair = (was.capabilities[capability], now.capabilities[capability])
            rows += [f"| {now.model} | {capability} | {row}" for row in _rows(*pair)]
    head = [f"## What vLLM {new} says otherwise than {old}", ""]
    if not rows:
        return "\n".join([*head, f"Nothing, of {len(before.keys() & after.keys())} models."])
    return "\n".join([*head, "| model | capability | shape | change |", "| --- | --- | --- | --- |", *rows])


def _rows(old: tuple[RecordedCase, ...], new: tuple[RecordedCase, ...]) -> Iterator[str]:
    later = {case_key(case): case for case in new}
    for case in old:
        other = later.get(case_key(case))
        difference = None if other is None else _difference(case, other)
        if difference is not None:
            yield f"{_shape(case)} | {difference} |"


def _shape(case: RecordedCase) -> str:
    shape = f"TP {case.tensor}, PP {case.pipeline}" + (", EP" if case.expert_parallel else "") + f", {case.cache}"
    return shape + (f", MTP {case.draft_tokens}" if case.draft_tokens else "")


def _difference(old: RecordedCase, new: RecordedCase) -> str | None:
    if (old.refusal is None) != (new.refusal is None):
        return f"starts now; it said: {old.refusal}" if new.refusal is None else f"refused now: {new.refusal}"
    if old.refusal is not None:
        return None
    parts: list[str] = []
    share = max(new.weights) / max(old.weights) * 100 - 100
    if abs(share) >= _WORTH_TELLING:
        parts.append(f"weights {share:+.2f} % ({max(old.weights) / 2**30:.2f} to {max(new.weights) / 2**30:.2f} GiB)")
    if old.block_bytes != new.block_bytes:
        parts.append(f"bytes of a block {max(old.block_bytes)} to {max(new.block_bytes)}")
    if old.groups != new.groups:
        parts.append(f"groups {_groups(old)} to {_groups(new)}")
    return "; ".join(parts) or None


def _groups(case: RecordedCase) -> str:
    return " + ".join(f"{group.tables} x {group.kind} of {group.tokens}" for group in case.groups)
