"""What a deployment can do of an objective: the batch that it allows, and the requests that it then serves.

An estimate counts as meeting an objective only if it still does when it is as far off, to the bad side, as the worst
of our measurements was.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.performance import performance
from config.objective import ServiceObjective
from planning.performance.load import Operation, Replica, Traffic, operation
from planning.performance.steps import Steps

_BATCHES = (*range(1, 9), *range(10, 17, 2), *range(20, 33, 4), *range(40, 65, 8), *range(80, 129, 16))
_LARGE_BATCHES = (*range(160, 257, 32), *range(320, 513, 64), *range(640, 1025, 128))
"""Sequences of one stage: steps of a fifth at most, so that no replica is bought for what lies between two of them."""


@dataclass(frozen=True)
class Limits:
    """The limits of one replica."""

    sequences: int
    """The requests that its cache holds at once, each as long as a request of the objective at its end."""
    step_tokens: int
    """`--max-num-batched-tokens`."""
    stages: int
    """The stages of its pipeline."""
    has_experts: bool


@dataclass(frozen=True)
class Capability:
    """What one replica can serve."""

    meeting: tuple[Operation, ...]
    """The batches that meet the objective's times, the smallest first."""
    nearest: Operation
    """The batch that comes nearest to them, or is the furthest within."""

    @property
    def most(self) -> Operation:
        """The batch that serves most, of those that meet the times."""
        return max(self.meeting, key=lambda each: (each.requests_per_second, each.sequences))

    def at(self, requests_per_second: float) -> Operation:
        """The smallest batch that meets the times and surely serves so many: not more than `most` serves."""
        return next((each for each in self.meeting if surely_served(each) >= requests_per_second), self.most)


def capability(steps: Steps, objective: ServiceObjective, limits: Limits) -> Capability | None:
    """What one replica can serve; None if not even one request at once. Raises Unknown."""
    constants = performance().first_token
    constant = constants.experts if limits.has_experts else constants.dense
    replica = Replica(steps, limits.step_tokens, constant, limits.stages)
    traffic = Traffic(objective.input_tokens, objective.output_tokens, objective.prefix_tokens)
    found: list[Operation] = []
    for batch in _batches(limits):
        one = operation(replica, traffic, batch)
        if one is None:
            break
        found.append(one)
    if not found:
        return None
    return Capability(
        meeting=tuple(each for each in found if shortfall(each, objective) <= 1),
        nearest=min(found, key=lambda each: (shortfall(each, objective), each.sequences)),
    )


def shortfall(found: Operation, objective: ServiceObjective) -> float:
    """The factor by which the slower of both times may be missed at worst; 1 or less: both are met."""
    return max(at_worst(found)[0] / objective.time_to_first_token, at_worst(found)[1] / objective.time_per_output_token)


def at_worst(found: Operation) -> tuple[float, float]:
    """Milliseconds to the first token and of each further one, if the estimate is as far off as the worst was."""
    error = performance().error
    return found.first_token_ms * error.first_token, found.per_token_ms * error.per_token


def surely_served(found: Operation) -> float:
    """Requests per second, if the estimate is as far off as the worst was."""
    return found.requests_per_second / performance().error.throughput


def _batches(limits: Limits) -> Iterable[int]:
    """Each stage has the same number of sequences, and all of them together no more than the cache holds."""
    most = limits.sequences // limits.stages
    grid = [batch for batch in (*_BATCHES, *_LARGE_BATCHES) if batch <= most]
    return [batch * limits.stages for batch in grid]
