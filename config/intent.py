"""The base of every part of a stack file, and the forms of the names that can be written in one."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

ProjectId = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9.-]+\.[a-z]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"),
    Field(description="Google Cloud project id (not its number or display name)", examples=["acme-inference"]),
]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+$")]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$")]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""How many of something; no machine has more, and what reads it may keep it in 32 bits."""
ResourceName = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$")]


class Intent(BaseModel):
    """A part of a stack file: frozen, camelCase keys, unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )
