"""One model server, as far as its memory depends on it."""

from dataclasses import dataclass

from catalog.engine import Engine, Runner
from catalog.model import Model
from planning.engine import Card, ServeSettings
from planning.weights import Sharding


@dataclass(frozen=True)
class Server:
    """A model, spread over cards of one kind, as one release serves it with these flags."""

    model: Model
    card: Card
    sharding: Sharding
    settings: ServeSettings
    engine: Engine

    @property
    def runner(self) -> Runner:
        """Which of vLLM's two runs the model."""
        return self.engine.runner(self.model)
