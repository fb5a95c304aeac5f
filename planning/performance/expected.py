"""What a plan promises of a model's speed, and on what the promise stands."""

from config.objective import ServiceObjective
from planning.decision import Decision


class ExpectedService(Decision):
    """Estimates, no measurements. Means; milliseconds of a request on the server, over all replicas at the objective's
    load. `at_worst`: if the estimate is as far off as the worst that was measured."""

    objective: ServiceObjective
    """What the stack asks for."""
    first_token_ms: float
    """Milliseconds until the first token."""
    first_token_ms_at_worst: float
    """The same at worst."""
    per_token_ms: float
    """The milliseconds for every token after the first."""
    per_token_ms_at_worst: float
    """The same at worst."""
    requests_per_second: float
    """The requests that all replicas can serve within both times."""
    requests_per_second_at_worst: float
    """The same at worst."""
    head_room: float
    """What they can surely serve beyond the objective's requests, as a share of these."""
    sequences: int
    """At once in one replica, at the objective's load."""
    usd_per_million_output_tokens: float | None
    """At the objective's load; input tokens are paid with them. None: no price is known."""
    estimated_by: str
    """The library that estimated it, with its version."""
    tables_of_vllm: str
    """The release of vLLM whose kernels were timed."""
    error_is_of: str
    """What the error was measured on, and what of this server was not."""
