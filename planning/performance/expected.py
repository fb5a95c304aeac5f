"""What a plan promises of a model's speed, and on what the promise stands."""

from pydantic import BaseModel, ConfigDict

from config.objective import ServiceObjective


class ExpectedService(BaseModel):
    """Estimates, no measurements. Means; milliseconds of a request on the server, over all replicas at the objective's
    load. `at_worst`: if the estimate is as far off as the worst that was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: ServiceObjective
    first_token_ms: float
    first_token_ms_at_worst: float
    per_token_ms: float
    """The milliseconds for every token after the first."""
    per_token_ms_at_worst: float
    requests_per_second: float
    """The requests that all replicas can serve within both times."""
    requests_per_second_at_worst: float
    head_room: float
    """What they can surely serve beyond the objective's requests, as a share of these."""
    sequences: int
    """At once in one replica, at the objective's load."""
    usd_per_million_output_tokens: float | None
    """At the objective's load; input tokens are paid with them. None: no price is known."""
    estimated_by: str
    tables_of_vllm: str
    """The release of vLLM whose kernels were timed."""
    error_is_of: str
    """What the error was measured on, and what of this server was not."""
