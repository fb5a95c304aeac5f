"""The base of every part of the plan."""

from pydantic import BaseModel, ConfigDict, PlainSerializer


class Decision(BaseModel):
    """A part of the plan: frozen, and strict about its keys so that a stored plan cannot be misread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def rounded(digits: int) -> PlainSerializer:
    """Writes a number with so many digits behind the point, and keeps all of them."""
    return PlainSerializer(lambda value: round(value, digits) if digits else round(value))
