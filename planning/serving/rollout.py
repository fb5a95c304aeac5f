"""Decides how updates replace replicas, counting all models of a pool together: which has a spare place, and alone."""

from dataclasses import dataclass

from planning.plan import ModelServerPlan, PoolUse, RolloutPlan
from planning.serving.lifecycle import replacement_seconds

SURGE = RolloutPlan(max_surge=1, max_unavailable=0)
ONE_LESS = RolloutPlan(max_surge=0, max_unavailable=1)


@dataclass(frozen=True)
class Sharing:
    """Models whose replicas are of one size, and the places that are free for one replica more.

    Where there are fewer places than models, each update waits for the one before: what it frees is of the same size.
    """

    models: tuple[ModelServerPlan, ...]
    places: int

    @property
    def rollout(self) -> RolloutPlan:
        return SURGE if self.places else ONE_LESS

    @property
    def take_turns(self) -> bool:
        return 0 < self.places < len(self.models)

    def wait_of(self, model: ModelServerPlan) -> int:
        """Seconds until its turn, if all others are updated before it."""
        return sum(replacement_seconds(other) for other in self.models if other is not model) if self.take_turns else 0


def share_places(models: list[ModelServerPlan], use: PoolUse) -> list[Sharing]:
    """Divides the places of one pool among its models.

    Each size is promised one place, and a place belongs to one size only: a small replica on a large one's place would
    leave the large one waiting for ever. Models with a single replica come first, since without a place they would be
    away during an update.
    """
    by_size: dict[tuple[int, int], list[ModelServerPlan]] = {}
    for model in models:
        by_size.setdefault((model.shape.nodes, model.shape.gpus_per_node), []).append(model)
    sizes = sorted(by_size, key=lambda size: (min(model.replicas for model in by_size[size]) > 1, -size[0], -size[1]))
    free = _Free(use)
    places = {size: int(free.take(*size)) for size in sizes}
    for size in sizes:
        while 0 < places[size] < len(by_size[size]) and free.take(*size):
            places[size] += 1
    return [Sharing(tuple(by_size[size]), places[size]) for size in sizes]


class _Free:
    """The GPUs that are free on each node of a pool."""

    def __init__(self, use: PoolUse) -> None:
        self._whole = use.gpus_per_node
        self._gpus = [use.gpus_per_node - sum(node.gpus.values()) for node in use.used]
        self._gpus += [use.gpus_per_node] * (use.nodes - len(use.used))

    def take(self, nodes: int, gpus_per_node: int) -> bool:
        """Takes the place of one replica, the tightest there is; whether there was one."""
        wanted = self._whole if nodes > 1 else gpus_per_node
        fitting = sorted((index for index, free in enumerate(self._gpus) if free >= wanted), key=self._gpus.__getitem__)
        if len(fitting) < nodes:
            return False
        for index in fitting[:nodes]:
            self._gpus[index] -= wanted
        return True
