"""What a person promises of a model's speed; the plan finds the cheapest shape that keeps it."""

from typing import Annotated

from pydantic import Field

from config.intent import Intent


class ServiceObjective(Intent):
    """A steady load of requests of one kind, and how fast they are answered. All times are means, as the estimates are:
    no percentile is known of them. What a client, a gateway and the network add is not in them."""

    time_to_first_token: Annotated[
        float, Field(gt=0, le=3_600_000, description="milliseconds at most, mean, from the server's side")
    ]
    time_per_output_token: Annotated[
        float, Field(gt=0, le=600_000, description="milliseconds at most, mean, of every token after the first")
    ]
    requests_per_second: Annotated[
        float, Field(gt=0, le=1_000_000, description="that arrive on average, over all replicas")
    ]
    input_tokens: Annotated[int, Field(ge=1, le=10_000_000, description="of one request, mean")]
    output_tokens: Annotated[int, Field(ge=2, le=10_000_000, description="of one request, mean")]
    cached_prefix_share: Annotated[
        float, Field(ge=0, lt=1, description="of the input tokens, those that the prefix cache holds already")
    ] = 0.0

    @property
    def prefix_tokens(self) -> int:
        return int(self.input_tokens * self.cached_prefix_share)

    @property
    def tokens(self) -> int:
        """The tokens of one request at its end."""
        return self.input_tokens + self.output_tokens
