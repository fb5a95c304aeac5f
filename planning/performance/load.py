"""From the times of single steps to how a replica serves a steady load: the mean of each figure.

vLLM's scheduler gives every running sequence a token in each step and fills the rest of the step with new prompts. So
with B requests at once, each of which stays for as many steps as it has output tokens, B divided by that number of
prompts come in each step. Prompts that come in the same step share it.
"""

from dataclasses import dataclass
from math import ceil, exp

from planning.performance.steps import Step, Steps


@dataclass(frozen=True)
class Traffic:
    """Requests of one kind. Tokens of one request."""

    input_tokens: int
    output_tokens: int
    prefix_tokens: int = 0
    """The tokens of the input that the prefix cache holds already."""

    @property
    def new_tokens(self) -> int:
        """The tokens of a prompt that must be computed: the last one always."""
        return max(1, self.input_tokens - self.prefix_tokens)


@dataclass(frozen=True)
class Operation:
    """One replica with so many requests at once: means, without the way to the server and back."""

    sequences: int
    first_token_ms: float
    per_token_ms: float
    requests_per_second: float


@dataclass(frozen=True)
class Replica:
    """How one replica makes its steps."""

    steps: Steps
    step_tokens: int
    """The tokens of a step: `--max-num-batched-tokens`."""
    first_token_ms: float
    """What a first token takes beside the model's pass."""
    stages: int = 1
    """The stages of a pipeline, each of which works on its own part of the sequences."""


def operation(replica: Replica, traffic: Traffic, sequences: int) -> Operation | None:
    """How it serves `sequences` requests at once; None where their prompts alone are more than the steps can take.

    Raises Unknown.
    """
    steps, at_once = replica.steps, max(1, sequences // replica.stages)
    room = replica.step_tokens - at_once
    new = traffic.new_tokens
    if room < 1:
        return None
    parts = ceil(new / room)
    lifetime = traffic.output_tokens - 1 + parts
    prompts = at_once / lifetime
    if prompts * new > room:
        return None
    # Of steps in which prompts come at random, those with at least one; they share its tokens.
    chance = 1 - exp(-prompts)
    together = min(room, new * prompts / chance) if parts == 1 else room
    with_prompts = prompts * new / together
    alone = steps.milliseconds(_step(traffic, 0, at_once))
    mixed = steps.milliseconds(_step(traffic, round(together), at_once))
    step = (1 - with_prompts) * alone + with_prompts * mixed
    return Operation(
        sequences=sequences,
        first_token_ms=_first_token(steps, traffic, at_once, room, step) + replica.first_token_ms,
        per_token_ms=step,
        requests_per_second=replica.stages * prompts / step * 1e3,
    )


def _first_token(steps: Steps, traffic: Traffic, at_once: int, room: int, step: float) -> float:
    """Half of the step that runs when a request comes, and the steps that carry its prompt."""
    if at_once == 1:
        return steps.milliseconds(_step(traffic, min(traffic.new_tokens, room), 0))
    new, parts = traffic.new_tokens, ceil(traffic.new_tokens / room)
    others = at_once / (traffic.output_tokens - 1 + parts)
    carried = min(room, round(new * (1 + others))) if parts == 1 else room
    return step / 2 + parts * steps.milliseconds(_step(traffic, carried, at_once - 1))


def _step(traffic: Traffic, prompt_tokens: int, sequences: int) -> Step:
    return Step(prompt_tokens, sequences, traffic.input_tokens, traffic.output_tokens, traffic.prefix_tokens)
