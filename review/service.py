"""What a change does to the promise of a model that has a service objective, in one line."""

from collections.abc import Iterator

from review.plans import ExpectedView

_SEEN = 0.01
"""A smaller share of a figure is the rounding of an estimate."""


def moved(before: ExpectedView | None, after: ExpectedView | None) -> str:
    """How latency, price and load of a model move; empty where they do not."""
    if after is None:
        return "**no longer has a service objective**: nothing is promised of its speed" if before else ""
    wanted = after.objective
    aim = f"at most {wanted.time_to_first_token:g} and {wanted.time_per_output_token:g} ms"
    if before is None:
        usd = after.usd_per_million_output_tokens
        price = "" if usd is None else f", {usd:,.2f} USD per million output tokens"
        return (
            f"gets a service objective: {after.first_token_ms:g} ms to the first token and {after.per_token_ms:g} ms a "
            f"token are expected ({aim}){price}; estimates"
        )
    parts = list(_parts(before, after))
    return f"is expected to serve otherwise: {', '.join(parts)} ({aim}; estimates)" if parts else ""


def _parts(before: ExpectedView, after: ExpectedView) -> Iterator[str]:
    figures = (
        (before.first_token_ms, after.first_token_ms, "ms to the first token", "g"),
        (before.per_token_ms, after.per_token_ms, "ms a token", "g"),
        (
            before.usd_per_million_output_tokens,
            after.usd_per_million_output_tokens,
            "USD per million output tokens",
            ",.2f",
        ),
        (before.requests_per_second, after.requests_per_second, "requests a second at most", "g"),
    )
    for old, new, what, form in figures:
        if old == new:
            continue
        if old is None or new is None:
            words = ["unknown" if figure is None else format(figure, form) for figure in (old, new)]
            yield f"{' → '.join(words)} {what}"
        elif abs(new / old - 1) > _SEEN:
            yield f"{old:{form}} → {new:{form}} {what} ({100 * (new / old - 1):+.0f} %)"
    for old, new, what in (
        (before.objective.time_to_first_token, after.objective.time_to_first_token, "timeToFirstToken"),
        (before.objective.time_per_output_token, after.objective.time_per_output_token, "timePerOutputToken"),
        (before.objective.requests_per_second, after.objective.requests_per_second, "requestsPerSecond"),
    ):
        if old != new:
            yield f"`{what}` {old:g} → {new:g}"
