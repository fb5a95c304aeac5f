"""The base of every part of the plan."""

from pydantic import BaseModel, ConfigDict


class Decision(BaseModel):
    """A part of the plan: frozen, and strict about its keys so that a stored plan cannot be misread."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
