"""Checks every quota that the plan needs: the region's, the project's, or one that only Cloud Quotas knows."""

from collections.abc import Iterator
from typing import Any

from planning.plan import QuotaNeed
from verification.doctor.google import Api, Missing
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.results import CheckFailed, NotObservable

_UNLIMITED = -1
"""The value by which Cloud Quotas says that there is no limit."""


def quota_questions(look: Look) -> Iterator[Question]:
    for need in look.plan.quotas:
        name = " ".join([need.limit.metric or need.limit.quota_id or need.limit.what, *need.dimensions.values()])
        yield Question(name, Row.QUOTA, lambda need=need: _quota(look, need))


def _quota(look: Look, need: QuotaNeed) -> str:
    """Compares one quota with its need. Reserved machines are counted already, or belong to another project."""
    if need.amount is None or need.at_first is None:
        raise NotObservable(f"{need.limit.what}: how many the stack takes is not known")
    first, most = (max(0, amount - need.held_by_reservations) for amount in (need.at_first, need.amount))
    wanted = f"{need.limit.what}: {first:,} for the first up" + (f", {most:,} at most" if most != first else "")
    if not most:
        return f"{wanted}; the reservations hold them all"
    limit, used = _limit(look, need, wanted)
    if limit == _UNLIMITED:
        return f"{wanted}; there is no limit"
    seen = f"{wanted}; the limit is {limit:,.0f}"
    seen += ", by Cloud Quotas, which does not say what is in use" if used is None else f", in use are {used:,.0f}"
    free = limit - (used or 0)
    if free >= most:
        return seen
    if free >= first:
        return f"{seen}: enough to begin with; for more {_ask_for(look, need, most)}"
    if not need.limit.certain:
        raise NotObservable(f"{seen}; whether this is the limit that counts is not certain")
    if limit < first:
        raise CheckFailed(f"{seen}: {_ask_for(look, need, most)}, or write fewer nodes")
    # This stack's own use may be part of what is used, and Google counts by project.
    if look.standing_pools() is None:
        raise CheckFailed(f"{seen}: free some, or {_ask_for(look, need, most)}")
    raise NotObservable(f"{seen}; the stack stands already, and which part of that is its own is not told")


def _ask_for(look: Look, need: QuotaNeed, amount: int) -> str:
    name = " ".join([need.limit.metric or need.limit.quota_id or need.limit.what, *need.dimensions.values()])
    where = f" in {need.region}" if need.region else ""
    page = f"https://console.cloud.google.com/iam-admin/quotas?project={look.project}"
    return f"ask for {amount:,} of {name}{where} at {page}"


def _limit(look: Look, need: QuotaNeed, wanted: str) -> tuple[float, float | None]:
    """The limit, and the use if it is told. Raises NotObservable if there is no limit to see."""
    found = _row(look, need)
    if found is not None:
        return float(found["limit"]), float(found.get("usage", 0))
    if need.limit.quota_id is None:
        raise NotObservable(f"{wanted}; the project shows no such limit, which is neither none nor zero")
    limit = _cloud_quota(look, need, need.limit.quota_id)
    if limit is None:
        raise NotObservable(f"{wanted}; Cloud Quotas shows no {need.limit.quota_id}, which is neither none nor zero")
    return limit, None


def _row(look: Look, need: QuotaNeed) -> dict[str, Any] | None:
    """The quota's row among the region's limits or the project's; None if it is in neither."""
    if need.limit.metric is None:
        return None
    path = f"projects/{look.project}"
    found = look.region() if need.region else look.once(path, lambda: look.google.get(Api.COMPUTE, path))
    rows: list[dict[str, Any]] = found.get("quotas", [])
    return next((row for row in rows if row["metric"] == need.limit.metric), None)


def _cloud_quota(look: Look, need: QuotaNeed, quota_id: str) -> int | None:
    """The quota's value for the region and its other dimensions: of all rows that fit, the one with the most dimensions
    counts."""
    path = f"projects/{look.project}/locations/global/services/compute.googleapis.com/quotaInfos/{quota_id}"
    try:
        info = look.once(path, lambda: look.google.get(Api.QUOTAS, path))
    except Missing:
        return None
    wanted = {**need.dimensions, **({"region": need.region} if need.region else {})}
    best: dict[str, Any] | None = None
    for row in info.get("dimensionsInfos", []):
        dimensions: dict[str, str] = row.get("dimensions", {})
        places: list[str] = row.get("applicableLocations", [])
        here = not need.region or "region" in dimensions or not places or need.region in places
        fits = here and all(wanted.get(key) == value for key, value in dimensions.items())
        if fits and (best is None or len(dimensions) > len(best.get("dimensions", {}))):
            best = row
    return None if best is None else int(best["details"]["value"])
