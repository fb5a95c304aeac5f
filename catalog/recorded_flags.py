"""Which flags of `vllm serve` leave alone what vLLM's own code said of weights and cache without them."""

from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.model import Model, Stateful
from catalog.source import read_yaml

_FILE = Path(__file__).parent / "recorded_flags.yaml"
_LOAD_FORMAT = "--load-format"


class RecordedFlags(Entry):
    """Flags by what they surely do not change. A flag that stands nowhere may change anything."""

    unchanged: frozenset[str] = Field(description="neither weights nor cache of any model")
    unchanged_without_states: frozenset[str] = Field(description="of a model without linear or state-space layers")
    unchanged_without_images: frozenset[str] = Field(description="of a model without an image encoder")
    load_formats: frozenset[str] = Field(description="words after --load-format that change neither")

    def may_change(self, flag: str, value: str | None, model: Model) -> bool:
        """Whether weights or cache of the model may be others with that flag."""
        if flag == _LOAD_FORMAT:
            return value not in self.load_formats
        stateful = any(isinstance(group, Stateful) for group in model.attention)
        return not (
            flag in self.unchanged
            or (flag in self.unchanged_without_states and not stateful and not model.recorded_only)
            or (flag in self.unchanged_without_images and model.vision is None)
        )


@cache
def recorded_flags() -> RecordedFlags:
    """The flags, from their file beside this one."""
    return RecordedFlags.model_validate(read_yaml(_FILE), by_alias=True, by_name=False)
