"""The promise of each model that has a service objective, for people."""

from collections.abc import Sequence

from planning.performance.expected import ExpectedService
from planning.plan import ModelServerPlan
from planning.table import Table


def service_table(models: Sequence[ModelServerPlan]) -> Table:
    """One row a model: what was asked, what is expected, and what that becomes with the worst error measured."""
    return Table(
        (
            "model",
            "first token, ms",
            "a token, ms",
            "requests/s",
            "head room",
            "at once",
            "USD per million output tokens",
        ),
        tuple(_row(model.name, model.expected) for model in models if model.expected is not None),
    )


def _row(name: str, expected: ExpectedService) -> tuple[str, ...]:
    wanted, usd = expected.objective, expected.usd_per_million_output_tokens
    return (
        name,
        f"{expected.first_token_ms:g} (up to {expected.first_token_ms_at_worst:g}; at most "
        f"{wanted.time_to_first_token:g})",
        f"{expected.per_token_ms:g} (up to {expected.per_token_ms_at_worst:g}; at most "
        f"{wanted.time_per_output_token:g})",
        f"{expected.requests_per_second:g} (down to {expected.requests_per_second_at_worst:g}; at least "
        f"{wanted.requests_per_second:g})",
        f"{100 * expected.head_room:.0f} %",
        f"{expected.sequences} of a replica",
        "unknown" if usd is None else f"{usd:,.2f}",
    )
