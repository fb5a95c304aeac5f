"""Which questions are worth asking for a kind of card: those whose weights it could hold."""

from catalog import ACCELERATORS
from catalog.hugging_face import UnreadableConfigError
from oracle.compare import model_of
from oracle.question import Question
from planning.recorded import recorded_gib
from planning.weights import GIB, Sharding, stages_of, weight_bytes


def worth_asking(question: Question, capability: str) -> bool:
    """Whether the largest card of that capability could hold the weights, by the plan's formulas.

    Two stages, where a model with one has not half of the memory for itself; a model that no formula counts is asked
    about if what another card holds of it would do, or nobody was asked.
    """
    memory = GIB * max(card.memory.torch_gib for card in ACCELERATORS.values() if card.compute_capability == capability)
    try:
        model = model_of(question.config)
    except UnreadableConfigError:
        return True
    if question.pipeline > model.layers:
        return False
    if not model.counted and model.checkpoint_gib is None:
        return recorded_gib(model) * GIB <= memory * question.ranks
    experts = question.tensor if question.expert_parallel else 1
    held = [
        weight_bytes(model, Sharding(question.tensor, question.pipeline, experts), stage)
        for stage in stages_of(model, question.pipeline)
    ]
    if question.pipeline > 1 and sum(held) < memory / 2:
        return False
    return max(held) <= memory
