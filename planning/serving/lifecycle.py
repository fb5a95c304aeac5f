"""Decides how long a server may take to start, and how it goes without losing a request."""

from math import ceil

from catalog.cold_start import cold_start
from planning.load_time import LoadTime
from planning.plan import LifecyclePlan, ModelServerPlan

_PRE_STOP = 15
"""Seconds until no load balancer of Google's sends to an endpoint that is gone."""
_DRAIN = 45
"""Seconds that vLLM may take to finish what it began."""
_MARGIN = 15
_NOTICE_PRE_STOP, _NOTICE_DRAIN, _NOTICE = 5, 8, 15
"""On a machine that Google takes back: of 30 seconds' notice pods that are not system-critical get 15 (Spot VMs, GKE
documentation, 2026-04), and the kubelet shortens every longer grace period to them."""
_STARTUP_PERIOD = 10
_STARTUP_FACTOR = 1.5
"""Load times are estimates: a start that takes half as long again is slow, not stuck."""
_SHORTEST_BUDGET = 600
"""The hub and the first compilation can take minutes whatever the model's size."""
_IMAGE_PULL_FACTOR = 2
"""A node pulls the image before a container's own clock starts, and how fast is an estimate too."""


def plan_lifecycle(load: LoadTime, replicas: int, *, spot: bool) -> LifecyclePlan:
    """An update without room for a surge takes the replicas one after the other, each with its shutdown."""
    longest_start = max(_SHORTEST_BUDGET, ceil(load.total * _STARTUP_FACTOR))
    pre_stop, drain = (_NOTICE_PRE_STOP, _NOTICE_DRAIN) if spot else (_PRE_STOP, _DRAIN)
    grace = _NOTICE if spot else pre_stop + drain + _MARGIN
    image_pull = ceil(cold_start().image.seconds * _IMAGE_PULL_FACTOR)
    return LifecyclePlan(
        startup_period=_STARTUP_PERIOD,
        startup_failures=ceil(longest_start / _STARTUP_PERIOD),
        progress_deadline=longest_start + grace + image_pull,
        rollout_deadline=(longest_start + grace) * replicas + image_pull,
        pre_stop=pre_stop,
        drain=drain,
        grace_period=grace,
    )


def replacement_seconds(model: ModelServerPlan) -> int:
    """What the update of a model takes while it has the spare place: start and shutdown of each replica."""
    return (ceil(model.load.total * _STARTUP_FACTOR) + model.lifecycle.grace_period) * model.replicas


def waiting(lifecycle: LifecyclePlan, seconds: int) -> LifecyclePlan:
    """The same for a model whose update may have to wait that long for others."""
    return lifecycle.model_copy(
        update={
            "progress_deadline": lifecycle.progress_deadline + seconds,
            "rollout_deadline": lifecycle.rollout_deadline + seconds,
        }
    )
